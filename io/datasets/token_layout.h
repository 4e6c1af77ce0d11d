#ifndef LOCKSTEP_IO_DATASETS_TOKEN_LAYOUT_H_
#define LOCKSTEP_IO_DATASETS_TOKEN_LAYOUT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "io/datasets/dataset.h"
#include "io/hdf5/h5.h"

namespace lockstep::io {

// What the writer and the reader of a dataset must agree on. The prose is in io/FORMATS.md.

inline constexpr char kTokensArray[] = "/tokens";
/// uint64 [ceil(N / kPieceTokens)]: XXH3-64 of each piece of /tokens, so that a reader can trust a
/// piece without reading the whole. fletcher32 takes a chunk of zeros for a chunk whose checksum is
/// zero.
inline constexpr char kPieceDigestsArray[] = "/token_digests";
inline constexpr char kSplitsGroup[] = "/splits";
inline constexpr char kSourceUnit[] = "tokens";

/// Tokens in a piece, which is also a chunk: 64 lanes that read far apart hold 4 MB at most.
inline constexpr uint64_t kPieceTokens = 16384;

/// Ids are handed out as int32.
inline constexpr uint64_t kMostVocabulary = uint64_t{1} << 31;

/// uint8, uint16 or uint32, the smallest that holds every id of the vocabulary.
ElementType TokenType(uint64_t vocabulary_size);

/// The digest of what a training sees, from the digest of /tokens, the vocabulary and the splits in
/// order. io/FORMATS.md has the lines of text it is taken of.
std::string DatasetFingerprint(const std::string& tokens_digest, uint64_t size_tokens,
                               const Vocabulary& vocabulary, const std::vector<Split>& splits);

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_DATASETS_TOKEN_LAYOUT_H_
