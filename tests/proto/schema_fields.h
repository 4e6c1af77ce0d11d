#ifndef LOCKSTEP_TESTS_PROTO_SCHEMA_FIELDS_H_
#define LOCKSTEP_TESTS_PROTO_SCHEMA_FIELDS_H_

#include <string>
#include <vector>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

#include "proto/run_config.h"

namespace lockstep::proto {

/// A field of the schema and the path that leads to it from RunConfig ("optimizer.adam.beta1").
struct SchemaField {
  std::string path;
  const google::protobuf::FieldDescriptor* field;
};

inline void AppendFields(const google::protobuf::Descriptor& message, const std::string& prefix,
                         std::vector<SchemaField>& fields) {
  for (int i = 0; i < message.field_count(); ++i) {
    const google::protobuf::FieldDescriptor* const field = message.field(i);
    const std::string path = prefix + std::string(field->name());
    fields.push_back({path, field});
    if (field->message_type() != nullptr) AppendFields(*field->message_type(), path + ".", fields);
  }
}

/// Every field of the schema, at any depth.
inline std::vector<SchemaField> AllFields() {
  std::vector<SchemaField> fields;
  AppendFields(*RunConfig::descriptor(), "", fields);
  return fields;
}

inline bool IsMessage(const google::protobuf::FieldDescriptor& field) {
  return field.message_type() != nullptr;
}

/// The message that the path's last field belongs to. The path's messages must be set.
inline const google::protobuf::Message& ParentOf(const google::protobuf::Message& root,
                                                 const std::string& path) {
  const std::size_t dot = path.find('.');
  if (dot == std::string::npos) return root;
  const auto* const field = root.GetDescriptor()->FindFieldByName(path.substr(0, dot));
  return ParentOf(root.GetReflection()->GetMessage(root, field), path.substr(dot + 1));
}

/// The message of the ConfigError that parsing throws; empty when it throws none.
inline std::string ParseFailure(const std::string& text,
                                const std::vector<std::string>& overrides = {}) {
  try {
    ParseRunConfig(text, "run.textproto", overrides);
  } catch (const ConfigError& error) {
    return error.what();
  }
  return {};
}

}  // namespace lockstep::proto

#endif  // LOCKSTEP_TESTS_PROTO_SCHEMA_FIELDS_H_
