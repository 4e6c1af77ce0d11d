#ifndef LOCKSTEP_IO_TEXT_TOKEN_IDS_H_
#define LOCKSTEP_IO_TEXT_TOKEN_IDS_H_

#include <cstdint>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "io/text/text_segmenter.h"
#include "io/text/vocabulary.h"

namespace lockstep::io {

/// A character (code point) or a byte as a vocabulary holds it.
std::string UnitText(TokenKind kind, uint32_t unit);

/// Turns the tokens of a text into the ids of a vocabulary; import and Vocabulary::Encode both use
/// it.
class TokenIds : public TokenSink {
 public:
  /// Called for a token that is not in the vocabulary when that has no unknown token; `position`
  /// tokens came before it. Must throw.
  using Missing = std::function<void(const std::string& token, uint64_t position)>;

  /// The vocabulary must outlive this.
  TokenIds(const Vocabulary& vocabulary, Missing missing);

  void TakeUnits(std::span<const uint32_t> units) override;
  void TakeWords(std::span<const std::string_view> words) override;
  /// Makes room for so many ids until the next Take.
  void Reserve(size_t ids) { ids_.reserve(ids); }
  /// The ids since the last call, in order.
  std::vector<uint32_t> Take();

  /// Characters, bytes or words so far: the tokens, but for subwords, of which a word may have
  /// several.
  uint64_t units() const { return units_; }
  /// Tokens so far, and how many of them became the unknown token.
  uint64_t tokens() const { return tokens_ + ids_.size(); }
  uint64_t unknown_tokens() const { return unknown_tokens_; }

 private:
  /// What a word came to; kept, because the same words come again.
  struct Pieces {
    std::vector<uint32_t> ids;
    uint64_t unknown = 0;
  };
  struct TextHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };

  uint32_t Unknown(const std::string& token, uint64_t position);
  uint32_t IdOf(std::string_view token);
  void TakePiecesOf(std::string_view word);
  void PutPieces(const Pieces& pieces);

  const Vocabulary& vocabulary_;
  Missing missing_;
  std::vector<uint32_t> id_of_unit_;  // up to the largest unit that has an id
  std::vector<uint32_t> ids_;         // not taken yet
  std::unordered_map<std::string, Pieces, TextHash, std::equal_to<>> pieces_;
  uint64_t units_ = 0;
  uint64_t tokens_ = 0;  // taken
  uint64_t unknown_tokens_ = 0;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_TEXT_TOKEN_IDS_H_
