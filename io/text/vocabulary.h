#ifndef LOCKSTEP_IO_TEXT_VOCABULARY_H_
#define LOCKSTEP_IO_TEXT_VOCABULARY_H_

#include <cstdint>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

namespace lockstep::io {

/// What one token of a text is.
enum class TokenKind {
  kChar,  ///< a Unicode code point
  kByte,  ///< a byte of the text as UTF-8 (of the file itself when no decoding was asked for)
  kWord,  ///< a segment between ICU's word boundaries; white space is dropped, but a line feed is a
          ///< token
};

std::string_view TokenKindName(TokenKind kind);                     ///< "char", "byte", "word"
std::optional<TokenKind> TokenKindFromName(std::string_view name);  ///< nullopt when unknown

/// The tokens of a text and their ids 0..size()-1. Immutable once built.
class Vocabulary {
 public:
  Vocabulary() = default;

  /// `tokens` are in the order of their ids: UTF-8 for characters and words, single bytes for
  /// bytes. `unknown` is the id that stands for every token outside the vocabulary (its text is
  /// "<unk>"). `normalization` and `lowercase` are what import applied; Encode applies them, too.
  /// InputError when a token is empty or stands twice, or `unknown` is not an id.
  Vocabulary(TokenKind kind, std::vector<std::string> tokens, std::optional<uint32_t> unknown,
             std::string normalization = "none", bool lowercase = false);

  TokenKind kind() const { return kind_; }
  size_t size() const { return tokens_.size(); }
  const std::vector<std::string>& tokens() const { return tokens_; }
  std::optional<uint32_t> unknown() const { return unknown_; }
  const std::string& normalization() const { return normalization_; }
  bool lowercase() const { return lowercase_; }

  /// The id of one token; nullopt when it is not in the vocabulary.
  std::optional<uint32_t> Find(std::string_view token) const;

  /// Splits UTF-8 text as import did (io/text/text_segmenter.h) and returns the ids. A token
  /// outside the vocabulary becomes `unknown`; where there is none, InputError names the token and
  /// its byte offset (after normalisation or lower-casing: its number). InputError on text that is
  /// not UTF-8, but bytes that import took as they stood are taken so here, too.
  std::vector<uint32_t> Encode(std::string_view utf8) const;

  /// The text that follows when token `id` comes after token `previous` (nullopt at the start): the
  /// token itself and, between words, the space that import dropped (none around ideographs and
  /// before closing punctuation: io/text/word_spacing.h). Requires id < size() and *previous <
  /// size().
  std::string Decode(uint32_t id, std::optional<uint32_t> previous) const;

  bool operator==(const Vocabulary& other) const;

 private:
  /// Lets a string_view be looked up without a copy.
  struct TextHash {
    using is_transparent = void;
    size_t operator()(std::string_view text) const { return std::hash<std::string_view>()(text); }
  };

  TokenKind kind_ = TokenKind::kByte;
  std::vector<std::string> tokens_;
  std::unordered_map<std::string, uint32_t, TextHash, std::equal_to<>> ids_;
  std::optional<uint32_t> unknown_;
  std::string normalization_ = "none";
  bool lowercase_ = false;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_TEXT_VOCABULARY_H_
