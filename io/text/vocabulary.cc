#include "io/text/vocabulary.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>
#include <unicode/utf8.h>

#include "io/errors.h"
#include "io/text/text_decoder.h"
#include "io/text/text_segmenter.h"
#include "io/text/token_ids.h"
#include "io/text/word_spacing.h"

namespace lockstep::io {
namespace {

constexpr std::array<std::pair<TokenKind, std::string_view>, 3> kKindNames = {{
    {TokenKind::kChar, "char"},
    {TokenKind::kByte, "byte"},
    {TokenKind::kWord, "word"},
}};

/// A token as a message shows it.
std::string Quoted(TokenKind kind, const std::string& token) {
  if (kind == TokenKind::kByte) return fmt::format("the byte {}", Hex(token));
  return fmt::format("\"{}\" ({})", token, Hex(token));
}

std::u16string DecodeUtf8(std::string_view utf8) {
  std::u16string text;
  TextDecoder decoder("utf-8", false);
  if (const auto invalid = decoder.Decode(utf8, true, &text)) {
    throw InputError(
        fmt::format("the text is not UTF-8 at byte {}: {}", invalid->offset, Hex(invalid->bytes)));
  }
  return text;
}

/// The byte offset of the code point that has `count` of them before it. Requires valid UTF-8.
size_t SkipCodePoints(std::string_view utf8, uint64_t count) {
  size_t offset = 0;
  while (count-- > 0) U8_FWD_1_UNSAFE(utf8, offset);
  return offset;
}

}  // namespace

std::string_view TokenKindName(TokenKind kind) {
  return kKindNames[static_cast<size_t>(kind)].second;
}

std::optional<TokenKind> TokenKindFromName(std::string_view name) {
  for (const auto& [kind, kind_name] : kKindNames) {
    if (kind_name == name) return kind;
  }
  return std::nullopt;
}

Vocabulary::Vocabulary(TokenKind kind, std::vector<std::string> tokens,
                       std::optional<uint32_t> unknown, std::string normalization, bool lowercase)
    : kind_(kind),
      tokens_(std::move(tokens)),
      unknown_(unknown),
      normalization_(std::move(normalization)),
      lowercase_(lowercase) {
  if (unknown_ && *unknown_ >= tokens_.size()) {
    throw InputError(fmt::format("vocabulary: the unknown token's id {} is beyond its {} tokens",
                                 *unknown_, tokens_.size()));
  }
  ids_.reserve(tokens_.size());
  for (size_t id = 0; id < tokens_.size(); ++id) {
    if (tokens_[id].empty()) throw InputError(fmt::format("vocabulary: token {} is empty", id));
    const auto [place, added] = ids_.emplace(tokens_[id], static_cast<uint32_t>(id));
    if (!added) {
      throw InputError(fmt::format("vocabulary: tokens {} and {} are both {}", place->second, id,
                                   Quoted(kind_, tokens_[id])));
    }
  }
}

std::optional<uint32_t> Vocabulary::Find(std::string_view token) const {
  const auto found = ids_.find(token);
  if (found == ids_.end()) return std::nullopt;
  return found->second;
}

std::vector<uint32_t> Vocabulary::Encode(std::string_view utf8) const {
  const bool as_it_stands = normalization_ == "none" && !lowercase_;
  std::vector<uint32_t> ids;
  TokenIds sink(
      *this,
      [&](std::span<const uint32_t> block) { ids.insert(ids.end(), block.begin(), block.end()); },
      [&](const std::string& token, uint64_t position) {
        std::string where = fmt::format("token {} of the normalised text", position + 1);
        if (as_it_stands) {
          const uint64_t offset =
              kind_ == TokenKind::kByte ? position : SkipCodePoints(utf8, position);
          where = fmt::format("byte {} of the text", offset);
        }
        throw InputError(fmt::format(
            "{} at {} is not in the vocabulary of {} tokens, which has no unknown token",
            Quoted(kind_, token), where, size()));
      });
  TextSegmenter segmenter(kind_, normalization_, lowercase_, &sink);
  if (kind_ == TokenKind::kByte && as_it_stands) {
    segmenter.FeedBytes(utf8);
  } else {
    segmenter.Feed(DecodeUtf8(utf8));
  }
  segmenter.Finish();
  sink.Flush();
  return ids;
}

std::string Vocabulary::Decode(uint32_t id, std::optional<uint32_t> previous) const {
  const std::string& token = tokens_[id];
  if (kind_ != TokenKind::kWord || !previous) return token;
  return SpaceBetweenWords(tokens_[*previous], token) ? " " + token : token;
}

bool Vocabulary::operator==(const Vocabulary& other) const {
  return kind_ == other.kind_ && tokens_ == other.tokens_ && unknown_ == other.unknown_ &&
         normalization_ == other.normalization_ && lowercase_ == other.lowercase_;
}

}  // namespace lockstep::io
