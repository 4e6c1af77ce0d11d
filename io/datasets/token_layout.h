#ifndef LOCKSTEP_IO_DATASETS_TOKEN_LAYOUT_H_
#define LOCKSTEP_IO_DATASETS_TOKEN_LAYOUT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "io/datasets/dataset.h"

namespace lockstep::io {

// What the writer and the reader of a dataset must agree on. The prose is in io/FORMATS.md.

inline constexpr char kTokensArray[] = "/tokens";
inline constexpr char kTokenDigestsArray[] = "/token_digests";
inline constexpr char kSourceUnit[] = "tokens";

/// The digest of what a training sees, from the digest of /tokens, the vocabulary and the splits in
/// order. io/FORMATS.md has the lines of text it is taken of.
std::string DatasetFingerprint(const std::string& tokens_digest, uint64_t size_tokens,
                               const Vocabulary& vocabulary, const std::vector<Split>& splits);

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_DATASETS_TOKEN_LAYOUT_H_
