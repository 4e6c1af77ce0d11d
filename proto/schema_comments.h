#ifndef LOCKSTEP_PROTO_SCHEMA_COMMENTS_H_
#define LOCKSTEP_PROTO_SCHEMA_COMMENTS_H_

#include <string>

#include <google/protobuf/descriptor.h>

namespace lockstep::proto {

/// The comment that stands above a field of run_config.proto, as one paragraph without line breaks;
/// empty when there is none. Throws std::logic_error for a field of another schema.
std::string CommentOf(const google::protobuf::FieldDescriptor& field);

/// The same for a value of an enum.
std::string CommentOf(const google::protobuf::EnumValueDescriptor& value);

}  // namespace lockstep::proto

#endif  // LOCKSTEP_PROTO_SCHEMA_COMMENTS_H_
