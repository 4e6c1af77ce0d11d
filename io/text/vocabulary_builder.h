#ifndef LOCKSTEP_IO_TEXT_VOCABULARY_BUILDER_H_
#define LOCKSTEP_IO_TEXT_VOCABULARY_BUILDER_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "io/text/text_segmenter.h"
#include "io/text/token_counter.h"
#include "io/text/vocabulary.h"

namespace lockstep::io {

/// Words of more bytes of UTF-8 than this are never in a vocabulary; they become the unknown token.
/// So a vocabulary's memory is bounded by its limit.
inline constexpr size_t kLongestWordBytes = 256;

/// Counts the tokens of a text and makes the vocabulary of the most frequent ones.
class VocabularyBuilder : public TokenSink {
 public:
  /// `folder` and `memory_bytes` as for TokenCounter; used for words only.
  VocabularyBuilder(TokenKind kind, std::filesystem::path folder, size_t memory_bytes);

  void TakeUnits(std::span<const uint32_t> units) override;
  void TakeWord(std::string_view word) override;

  /// All tokens so far, not only the different ones.
  uint64_t tokens() const { return tokens_; }

  /// The tokens by count, the most frequent first; among equals, by the bytes of their UTF-8. With
  /// `limit` (0: none) at most so many, the unknown token among them. The unknown token has id 0;
  /// words always have it, characters and bytes only where the limit cuts off something. Requires
  /// limit != 1. Forgets the counts.
  Vocabulary Build(uint64_t limit, const std::string& normalization, bool lowercase);

 private:
  /// Calls `visit` for each different token, in the order of its bytes.
  void Drain(const std::function<void(TokenCount)>& visit);

  TokenKind kind_;
  uint64_t tokens_ = 0;
  std::vector<uint64_t> unit_counts_;  // by code point or byte
  std::unique_ptr<TokenCounter> word_counts_;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_TEXT_VOCABULARY_BUILDER_H_
