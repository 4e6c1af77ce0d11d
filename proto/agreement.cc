#include "proto/agreement.h"

#include <google/protobuf/descriptor.h>

#include "proto/defaults.h"
#include "proto/field_text.h"

namespace lockstep::proto {
namespace {

namespace pb = google::protobuf;

std::string AlternativeOf(const pb::Message& message, const pb::OneofDescriptor& oneof) {
  return std::string(message.GetReflection()->GetOneofFieldDescriptor(message, &oneof)->name());
}

// Both have their defaults filled in, so that of every oneof one alternative is set.
std::optional<Difference> Compare(const pb::Message& then, const pb::Message& now,
                                  Agreement agreement, const std::string& path) {
  const pb::Descriptor& type = *then.GetDescriptor();
  const pb::Reflection& reflection = *then.GetReflection();
  for (int i = 0; i < type.oneof_decl_count(); ++i) {
    const pb::OneofDescriptor& oneof = *type.oneof_decl(i);
    if (oneof.options().GetExtension(agree_on_alternative) != agreement) continue;
    const std::string a = AlternativeOf(then, oneof), b = AlternativeOf(now, oneof);
    if (a != b) return Difference{path, a, b};
  }
  for (int i = 0; i < type.field_count(); ++i) {
    const pb::FieldDescriptor& field = *type.field(i);
    if (!reflection.HasField(then, &field) || !reflection.HasField(now, &field)) continue;
    const std::string at = path + (path.empty() ? "" : ".") + std::string(field.name());
    if (field.cpp_type() == pb::FieldDescriptor::CPPTYPE_MESSAGE) {
      auto found = Compare(reflection.GetMessage(then, &field), reflection.GetMessage(now, &field),
                           agreement, at);
      if (found) return found;
    } else if (field.options().GetExtension(agree) == agreement) {
      const std::string a = FieldText(then, field), b = FieldText(now, field);
      if (a != b) return Difference{at, a, b};
    }
  }
  return std::nullopt;
}

}  // namespace

std::optional<Difference> FindDifference(const RunConfig& then, const RunConfig& now,
                                         Agreement agreement) {
  RunConfig a = then, b = now;
  FillDefaults(a);
  FillDefaults(b);
  return Compare(a, b, agreement, "");
}

}  // namespace lockstep::proto
