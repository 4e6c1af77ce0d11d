#include "proto/field_text.h"

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <google/protobuf/text_format.h>

#include "proto/run_config.pb.h"

namespace lockstep::proto {

namespace pb = google::protobuf;

std::string FieldText(const pb::Message& message, const pb::FieldDescriptor& field) {
  if (field.cpp_type() == pb::FieldDescriptor::CPPTYPE_DOUBLE) {
    return fmt::format("{}", message.GetReflection()->GetDouble(message, &field));
  }
  pb::TextFormat::Printer printer;
  printer.SetUseUtf8StringEscaping(true);
  std::string text;
  printer.PrintFieldValueToString(message, &field, -1, &text);
  return text;
}

std::string AllowedText(const pb::FieldDescriptor& field) {
  const std::string& interval = field.options().GetExtension(range);
  const std::string where = interval.empty() ? "" : " in " + interval;
  switch (field.cpp_type()) {
    case pb::FieldDescriptor::CPPTYPE_UINT64:
    case pb::FieldDescriptor::CPPTYPE_UINT32:
      return interval.empty() ? "a whole number, 0 or more" : "a whole number" + where;
    case pb::FieldDescriptor::CPPTYPE_INT64:
    case pb::FieldDescriptor::CPPTYPE_INT32:
      return "a whole number" + where;
    case pb::FieldDescriptor::CPPTYPE_DOUBLE:
    case pb::FieldDescriptor::CPPTYPE_FLOAT:
      return "a number" + where;
    case pb::FieldDescriptor::CPPTYPE_BOOL:
      return "true or false";
    case pb::FieldDescriptor::CPPTYPE_STRING:
      return field.options().GetExtension(not_empty) ? "a text in quotes that is not empty"
                                                     : "a text in quotes";
    case pb::FieldDescriptor::CPPTYPE_ENUM:
      return fmt::format("{}", fmt::join(ValueNames(*field.enum_type()), ", "));
    case pb::FieldDescriptor::CPPTYPE_MESSAGE:
      return "settings in braces, { }";
  }
  return {};
}

std::vector<std::string> FieldNames(const pb::Descriptor& message) {
  std::vector<std::string> names;
  for (int i = 0; i < message.field_count(); ++i) names.emplace_back(message.field(i)->name());
  return names;
}

std::vector<std::string> ValueNames(const pb::EnumDescriptor& values) {
  std::vector<std::string> names;
  for (int i = 0; i < values.value_count(); ++i) names.emplace_back(values.value(i)->name());
  return names;
}

}  // namespace lockstep::proto
