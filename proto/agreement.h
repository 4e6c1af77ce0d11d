#ifndef LOCKSTEP_PROTO_AGREEMENT_H_
#define LOCKSTEP_PROTO_AGREEMENT_H_

#include <optional>
#include <string>

#include "proto/run_config.h"

namespace lockstep::proto {

/// A setting that two configurations do not have in common.
struct Difference {
  std::string field;  ///< "model.cell"; of alternatives the message that holds them: "optimizer"
  std::string then, now;
};

/// The first setting, in the schema's order, that the schema marks with `agreement` (the option
/// `agree`) and that differs between two configurations, defaults filled in. nullopt: what was
/// begun under `then` may go on under `now`.
std::optional<Difference> FindDifference(const RunConfig& then, const RunConfig& now,
                                         Agreement agreement);

}  // namespace lockstep::proto

#endif  // LOCKSTEP_PROTO_AGREEMENT_H_
