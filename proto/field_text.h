#ifndef LOCKSTEP_PROTO_FIELD_TEXT_H_
#define LOCKSTEP_PROTO_FIELD_TEXT_H_

#include <string>
#include <vector>

#include <google/protobuf/descriptor.h>
#include <google/protobuf/message.h>

namespace lockstep::proto {

/// The value of a scalar field (its default when it is not set) as text format writes it: floats
/// with the fewest digits that read back to the same number, strings in quotes with UTF-8 as it is.
std::string FieldText(const google::protobuf::Message& message,
                      const google::protobuf::FieldDescriptor& field);

/// What a field takes, for messages: "a whole number in [1, 100]", "true or false", "a text in
/// quotes".
std::string AllowedText(const google::protobuf::FieldDescriptor& field);

/// The names of a message's fields, in the schema's order.
std::vector<std::string> FieldNames(const google::protobuf::Descriptor& message);

/// The names of an enum's values, in the schema's order.
std::vector<std::string> ValueNames(const google::protobuf::EnumDescriptor& values);

}  // namespace lockstep::proto

#endif  // LOCKSTEP_PROTO_FIELD_TEXT_H_
