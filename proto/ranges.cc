#include "proto/ranges.h"

#include <cmath>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>

#include "proto/field_text.h"
#include "proto/interval.h"
#include "proto/run_config.h"

namespace lockstep::proto {
namespace {

namespace pb = google::protobuf;

// Whole numbers are compared as doubles: rounding is monotone, and the schema's bounds lie below
// 2^53.
double NumberOf(const pb::Message& message, const pb::FieldDescriptor& field) {
  const pb::Reflection& reflection = *message.GetReflection();
  switch (field.cpp_type()) {
    case pb::FieldDescriptor::CPPTYPE_INT32:
      return reflection.GetInt32(message, &field);
    case pb::FieldDescriptor::CPPTYPE_INT64:
      return static_cast<double>(reflection.GetInt64(message, &field));
    case pb::FieldDescriptor::CPPTYPE_UINT64:
      return static_cast<double>(reflection.GetUInt64(message, &field));
    case pb::FieldDescriptor::CPPTYPE_DOUBLE:
      return reflection.GetDouble(message, &field);
    default:
      return 0;
  }
}

void CheckField(const pb::Message& message, const pb::FieldDescriptor& field,
                const std::string& path) {
  const auto refuse = [&](const std::string& allowed) {
    throw ConfigError(
        fmt::format("{} is {}; allowed: {}", path, FieldText(message, field), allowed));
  };
  const double number = NumberOf(message, field);
  const std::string& interval = field.options().GetExtension(range);
  if (!interval.empty() && !Interval(interval).Contains(number)) refuse(interval);
  if (!std::isfinite(number)) refuse("a finite number");
  if (field.options().GetExtension(not_empty) &&
      message.GetReflection()->GetString(message, &field).empty()) {
    refuse("a text that is not empty");
  }
}

void CheckMessage(const pb::Message& message, const std::string& prefix) {
  const pb::Reflection& reflection = *message.GetReflection();
  std::vector<const pb::FieldDescriptor*> fields;
  reflection.ListFields(message, &fields);
  for (const pb::FieldDescriptor* field : fields) {
    const std::string path = prefix + std::string(field->name());
    if (field->cpp_type() == pb::FieldDescriptor::CPPTYPE_MESSAGE) {
      CheckMessage(reflection.GetMessage(message, field), path + ".");
    } else {
      CheckField(message, *field, path);
    }
  }
}

}  // namespace

void CheckRanges(const pb::Message& config) { CheckMessage(config, ""); }

}  // namespace lockstep::proto
