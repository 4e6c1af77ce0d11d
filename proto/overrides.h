#ifndef LOCKSTEP_PROTO_OVERRIDES_H_
#define LOCKSTEP_PROTO_OVERRIDES_H_

#include <string>

#include "proto/run_config.h"

namespace lockstep::proto {

/// Sets one field of `config` as `--set` says: "NAME.NAME=VALUE" with the value in Protobuf's text
/// format. A string may stand without quotes; a message is replaced by what stands in its braces
/// ("optimizer.adamw={beta1: 0.8}"); an alternative of a oneof takes the place of the one that is
/// set, also when one of its fields is named. Throws ConfigError ("--set ...: ...") for unknown
/// names and values that the schema does not allow.
void ApplyOverride(const std::string& override_text, RunConfig& config);

}  // namespace lockstep::proto

#endif  // LOCKSTEP_PROTO_OVERRIDES_H_
