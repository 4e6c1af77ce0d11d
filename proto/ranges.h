#ifndef LOCKSTEP_PROTO_RANGES_H_
#define LOCKSTEP_PROTO_RANGES_H_

#include <google/protobuf/message.h>

namespace lockstep::proto {

/// Checks every field that is set, at any depth, against the schema's (range) and (not_empty); NaN
/// and the infinities are refused in any field. Throws ConfigError for the first that fails
/// ("data.lanes is 0; allowed: [1, 1000000]").
void CheckRanges(const google::protobuf::Message& config);

}  // namespace lockstep::proto

#endif  // LOCKSTEP_PROTO_RANGES_H_
