#ifndef LOCKSTEP_PROTO_DEFAULTS_H_
#define LOCKSTEP_PROTO_DEFAULTS_H_

#include <google/protobuf/message.h>

namespace lockstep::proto {

/// Sets every field of `message`, at any depth, that is not set: scalars to the schema's default,
/// each oneof without an alternative to its (default_alternative). What is set stays.
void FillDefaults(google::protobuf::Message& message);

}  // namespace lockstep::proto

#endif  // LOCKSTEP_PROTO_DEFAULTS_H_
