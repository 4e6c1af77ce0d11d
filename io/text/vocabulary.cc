#include "io/text/vocabulary.h"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>

#include "io/errors.h"
#include "io/text/subwords.h"
#include "io/text/text_encoder.h"
#include "io/text/word_spacing.h"

namespace lockstep::io {
namespace {

constexpr std::array<std::pair<TokenKind, std::string_view>, 5> kKindNames = {{
    {TokenKind::kChar, "char"},
    {TokenKind::kByte, "byte"},
    {TokenKind::kWord, "word"},
    {TokenKind::kWhitespace, "whitespace"},
    {TokenKind::kSubword, "bpe"},
}};

void RequireId(std::optional<uint32_t> id, size_t tokens, const char* what) {
  if (!id || *id < tokens) return;
  throw InputError(
      fmt::format("vocabulary: the id {} of its {} is beyond its {} tokens", *id, what, tokens));
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

bool SeparatedByWhiteSpace(TokenKind kind) {
  return kind == TokenKind::kWhitespace || kind == TokenKind::kSubword;
}

Vocabulary::Vocabulary(TokenKind kind, std::vector<std::string> tokens,
                       std::optional<uint32_t> unknown, std::string normalization, bool lowercase,
                       std::optional<uint32_t> line_end, std::shared_ptr<const Subwords> subwords)
    : kind_(kind),
      tokens_(std::move(tokens)),
      unknown_(unknown),
      normalization_(std::move(normalization)),
      lowercase_(lowercase),
      line_end_(line_end),
      subwords_(std::move(subwords)) {
  RequireId(unknown_, tokens_.size(), "unknown token");
  RequireId(line_end_, tokens_.size(), "line end");
  if ((subwords_ != nullptr) != (kind_ == TokenKind::kSubword)) {
    throw InputError(
        fmt::format("vocabulary: merges belong to tokens of kind bpe, not {}, and only "
                    "to those",
                    TokenKindName(kind_)));
  }
  for (size_t id = 0; id < tokens_.size(); ++id) {
    if (tokens_[id].empty()) throw InputError(fmt::format("vocabulary: token {} is empty", id));
    if (const uint64_t* other = ids_.Find(tokens_[id])) {
      throw InputError(fmt::format("vocabulary: tokens {} and {} are both {}", *other, id,
                                   QuotedToken(kind_, tokens_[id])));
    }
    ids_.Add(tokens_[id], id);
  }
  if (!SeparatedByWhiteSpace(kind_)) line_end_ = Find("\n");
}

std::optional<uint32_t> Vocabulary::Find(std::string_view token) const {
  const uint64_t* id = ids_.Find(token);
  if (id == nullptr) return std::nullopt;
  return static_cast<uint32_t>(*id);
}

std::vector<uint32_t> Vocabulary::Encode(std::string_view utf8) const {
  return TextEncoder(*this).Encode(utf8);
}

std::string Vocabulary::Decode(uint32_t id, std::optional<uint32_t> previous) const {
  const std::string& token = tokens_[id];
  if (SeparatedByWhiteSpace(kind_)) return DecodeSeparated(id, previous);
  if (kind_ != TokenKind::kWord || !previous) return token;
  return SpaceBetweenWords(tokens_[*previous], token) ? " " + token : token;
}

std::string Vocabulary::DecodeSeparated(uint32_t id, std::optional<uint32_t> previous) const {
  if (id == line_end_) return "\n";
  const bool joined = !previous || previous == line_end_ || ContinuesWord(*previous);
  std::string text = joined ? tokens_[id] : " " + tokens_[id];
  if (ContinuesWord(id)) text.resize(text.size() - Subwords::kContinues.size());
  return text;
}

bool Vocabulary::ContinuesWord(uint32_t id) const {
  return kind_ == TokenKind::kSubword && id != unknown_ && id != line_end_ &&
         Subwords::Continues(tokens_[id]);
}

bool Vocabulary::operator==(const Vocabulary& other) const {
  if (kind_ != other.kind_ || tokens_ != other.tokens_ || unknown_ != other.unknown_ ||
      normalization_ != other.normalization_ || lowercase_ != other.lowercase_ ||
      line_end_ != other.line_end_) {
    return false;
  }
  return subwords_ == other.subwords_ || subwords_->merges() == other.subwords_->merges();
}

}  // namespace lockstep::io
