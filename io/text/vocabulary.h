#ifndef LOCKSTEP_IO_TEXT_VOCABULARY_H_
#define LOCKSTEP_IO_TEXT_VOCABULARY_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/text/text_map.h"

namespace lockstep::io {

/// What one token of a text is.
enum class TokenKind {
  kChar,  ///< a Unicode code point
  kByte,  ///< a byte of the text as UTF-8 (of the file itself when no decoding was asked for)
  kWord,  ///< a segment between ICU's word boundaries; white space is dropped, but a line feed is a
          ///< token
  kWhitespace,  ///< a run between white space: text that is tokenised already
  kSubword,     ///< a piece of such a run, by byte pair encoding (io/text/subwords.h)
};

/// "char", "byte", "word", "whitespace", "bpe"
std::string_view TokenKindName(TokenKind kind);
std::optional<TokenKind> TokenKindFromName(std::string_view name);  ///< nullopt when unknown
/// Whether tokens are separated by white space, so that the line end is a token of its own choice
/// and the text "<unk>" may be one: kWhitespace and kSubword.
bool SeparatedByWhiteSpace(TokenKind kind);

/// The text of the token that stands for all tokens outside a vocabulary.
inline constexpr std::string_view kUnknownText = "<unk>";

class Subwords;

/// The tokens of a text and their ids 0..size()-1. Immutable once built.
class Vocabulary {
 public:
  Vocabulary() = default;

  /// `tokens` are in the order of their ids: UTF-8 for characters and words, single bytes for
  /// bytes. `unknown` is the id that stands for every token outside the vocabulary (its text is
  /// "<unk>"). `normalization` and `lowercase` are what import applied; Encode applies them, too.
  /// For kWhitespace and kSubword only: `line_end` is the id of the token that a line feed gives
  /// (nullopt: a line feed is white space as any other), and for kSubword `subwords` the merges
  /// (never null). InputError when a token is empty or stands twice, or `unknown` or `line_end` is
  /// not an id, or the merges are missing.
  Vocabulary(TokenKind kind, std::vector<std::string> tokens, std::optional<uint32_t> unknown,
             std::string normalization = "none", bool lowercase = false,
             std::optional<uint32_t> line_end = std::nullopt,
             std::shared_ptr<const Subwords> subwords = nullptr);

  TokenKind kind() const { return kind_; }
  size_t size() const { return tokens_.size(); }
  const std::vector<std::string>& tokens() const { return tokens_; }
  std::optional<uint32_t> unknown() const { return unknown_; }
  const std::string& normalization() const { return normalization_; }
  bool lowercase() const { return lowercase_; }
  /// The id that a line feed has: for characters, bytes and words that of "\n", where there is one.
  std::optional<uint32_t> line_end() const { return line_end_; }
  /// The merges of kSubword; null for other kinds. Shared by copies of the vocabulary.
  const std::shared_ptr<const Subwords>& subwords() const { return subwords_; }

  /// The id of one token; nullopt when it is not in the vocabulary.
  std::optional<uint32_t> Find(std::string_view token) const;
  /// Calls use(i, id) for each token in turn, with a null pointer where it is not there: faster for
  /// many.
  template <class Use>
  void FindEach(std::span<const std::string_view> tokens, const Use& use) const {
    ids_.FindEach(tokens, [&](size_t i, const uint64_t* id) { use(i, id); });
  }

  /// Splits UTF-8 text as import did (io/text/text_segmenter.h) and returns the ids. A token
  /// outside the vocabulary becomes `unknown`; where there is none, InputError names the token and
  /// its byte offset (after normalisation or lower-casing: its number). InputError on text that is
  /// not UTF-8, but bytes that import took as they stood are taken so here, too. For many texts a
  /// TextEncoder (io/text/text_encoder.h) is faster.
  std::vector<uint32_t> Encode(std::string_view utf8) const;

  /// The text that follows when token `id` comes after token `previous` (nullopt at the start): the
  /// token itself and, between words, the space that import dropped (none around ideographs and
  /// before closing punctuation: io/text/word_spacing.h). Tokens between white space are joined by
  /// one space, pieces of a word by nothing and without their mark "@@"; the line end gives a line
  /// feed. Requires id < size() and *previous < size().
  std::string Decode(uint32_t id, std::optional<uint32_t> previous) const;

  bool operator==(const Vocabulary& other) const;

 private:
  std::string DecodeSeparated(uint32_t id, std::optional<uint32_t> previous) const;
  /// Whether the token is a piece of a word and the next piece belongs to the same word.
  bool ContinuesWord(uint32_t id) const;

  TokenKind kind_ = TokenKind::kByte;
  std::vector<std::string> tokens_;
  TextMap ids_;
  std::optional<uint32_t> unknown_;
  std::string normalization_ = "none";
  bool lowercase_ = false;
  std::optional<uint32_t> line_end_;
  std::shared_ptr<const Subwords> subwords_;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_TEXT_VOCABULARY_H_
