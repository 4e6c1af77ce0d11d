#include <google/protobuf/descriptor.h>

#include "proto/defaults.h"
#include "proto/field_text.h"
#include "proto/run_config.h"

namespace lockstep::proto {
namespace {

namespace pb = google::protobuf;

void PrintMessage(const pb::Message& message, const std::string& indent, std::string& text) {
  const pb::Descriptor& type = *message.GetDescriptor();
  const pb::Reflection& reflection = *message.GetReflection();
  for (int i = 0; i < type.field_count(); ++i) {
    const pb::FieldDescriptor& field = *type.field(i);
    if (!reflection.HasField(message, &field)) continue;
    const std::string name(field.name());
    if (field.cpp_type() != pb::FieldDescriptor::CPPTYPE_MESSAGE) {
      text += indent + name + ": " + FieldText(message, field) + "\n";
    } else if (field.message_type()->field_count() == 0) {
      text += indent + name + " {}\n";
    } else {
      text += indent + name + " {\n";
      PrintMessage(reflection.GetMessage(message, &field), indent + "  ", text);
      text += indent + "}\n";
    }
  }
}

}  // namespace

std::string PrintRunConfig(const RunConfig& config) {
  RunConfig complete = config;
  FillDefaults(complete);
  std::string text;
  PrintMessage(complete, "", text);
  return text;
}

}  // namespace lockstep::proto
