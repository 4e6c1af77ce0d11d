#ifndef LOCKSTEP_PROTO_SUGGESTION_H_
#define LOCKSTEP_PROTO_SUGGESTION_H_

#include <span>
#include <string>

namespace lockstep::proto {

/// What to tell somebody who wrote `unknown` where one of `known` belongs: "did you mean lanes?"
/// when one of them is near (by edit distance, case set aside, or because one begins with the
/// other), else "known here: lanes, path".
std::string Suggest(const std::string& unknown, std::span<const std::string> known);

}  // namespace lockstep::proto

#endif  // LOCKSTEP_PROTO_SUGGESTION_H_
