#ifndef LOCKSTEP_IO_TEXT_TEXT_ENCODER_H_
#define LOCKSTEP_IO_TEXT_TEXT_ENCODER_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <vector>

#include "io/text/text_segmenter.h"
#include "io/text/token_ids.h"
#include "io/text/vocabulary.h"

namespace lockstep::io {

/// A token as a message shows it: "the byte FF" or "\"é\" (C3 A9)".
std::string QuotedToken(TokenKind kind, const std::string& token);

/// Turns many separate texts into the ids of one vocabulary; what is expensive to make (ICU's word
/// boundaries, the pieces of words that occurred) is kept from text to text.
class TextEncoder {
 public:
  /// The vocabulary must outlive the encoder.
  explicit TextEncoder(const Vocabulary& vocabulary);
  TextEncoder(const TextEncoder&) = delete;
  TextEncoder& operator=(const TextEncoder&) = delete;

  /// As Vocabulary::Encode, errors included; after an error the encoder must not be used again.
  std::vector<uint32_t> Encode(std::string_view utf8);

  /// How many tokens of all texts became the unknown token.
  uint64_t unknown_tokens() const { return sink_.unknown_tokens(); }

 private:
  [[noreturn]] void ThrowMissing(const std::string& token, uint64_t position) const;

  const Vocabulary& vocabulary_;
  bool as_it_stands_;
  TokenIds sink_;
  TextSegmenter segmenter_;
  std::string_view text_;
  uint64_t tokens_before_ = 0;  // of the texts before this one
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_TEXT_TEXT_ENCODER_H_
