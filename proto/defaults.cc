#include "proto/defaults.h"

#include <stdexcept>
#include <string>

#include <fmt/format.h>
#include <google/protobuf/descriptor.h>

#include "proto/run_config.pb.h"

namespace lockstep::proto {
namespace {

namespace pb = google::protobuf;

// Reading an unset field gives its default, so writing back what was read makes the default
// explicit.
void SetToDefault(pb::Message& message, const pb::FieldDescriptor& field) {
  const pb::Reflection& reflection = *message.GetReflection();
  switch (field.cpp_type()) {
    case pb::FieldDescriptor::CPPTYPE_INT32:
      return reflection.SetInt32(&message, &field, reflection.GetInt32(message, &field));
    case pb::FieldDescriptor::CPPTYPE_INT64:
      return reflection.SetInt64(&message, &field, reflection.GetInt64(message, &field));
    case pb::FieldDescriptor::CPPTYPE_UINT64:
      return reflection.SetUInt64(&message, &field, reflection.GetUInt64(message, &field));
    case pb::FieldDescriptor::CPPTYPE_DOUBLE:
      return reflection.SetDouble(&message, &field, reflection.GetDouble(message, &field));
    case pb::FieldDescriptor::CPPTYPE_BOOL:
      return reflection.SetBool(&message, &field, reflection.GetBool(message, &field));
    case pb::FieldDescriptor::CPPTYPE_STRING:
      return reflection.SetString(&message, &field, reflection.GetString(message, &field));
    case pb::FieldDescriptor::CPPTYPE_ENUM:
      return reflection.SetEnum(&message, &field, reflection.GetEnum(message, &field));
    case pb::FieldDescriptor::CPPTYPE_MESSAGE:
      reflection.MutableMessage(&message, &field);
      return;
    default:
      throw std::logic_error(fmt::format("the schema's field {} has a type that is not handled",
                                         std::string(field.full_name())));
  }
}

void FillOneof(pb::Message& message, const pb::OneofDescriptor& oneof) {
  if (message.GetReflection()->HasOneof(message, &oneof)) return;
  const std::string& name = oneof.options().GetExtension(default_alternative);
  const pb::FieldDescriptor* const field = message.GetDescriptor()->FindFieldByName(name);
  if (field == nullptr || field->containing_oneof() != &oneof) {
    throw std::logic_error(fmt::format("the schema's oneof {} has no alternative \"{}\"",
                                       std::string(oneof.full_name()), name));
  }
  SetToDefault(message, *field);
}

}  // namespace

void FillDefaults(pb::Message& message) {
  const pb::Descriptor& type = *message.GetDescriptor();
  const pb::Reflection& reflection = *message.GetReflection();
  for (int i = 0; i < type.oneof_decl_count(); ++i) FillOneof(message, *type.oneof_decl(i));
  for (int i = 0; i < type.field_count(); ++i) {
    const pb::FieldDescriptor& field = *type.field(i);
    const bool set = reflection.HasField(message, &field);
    if (field.containing_oneof() != nullptr && !set) continue;
    if (!set) SetToDefault(message, field);
    if (field.cpp_type() == pb::FieldDescriptor::CPPTYPE_MESSAGE) {
      FillDefaults(*reflection.MutableMessage(&message, &field));
    }
  }
}

}  // namespace lockstep::proto
