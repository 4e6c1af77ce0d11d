#include "io/text/token_ids.h"

#include <limits>
#include <utility>

#include <unicode/utf8.h>

#include "io/text/subwords.h"

namespace lockstep::io {
namespace {

constexpr uint32_t kNoId = std::numeric_limits<uint32_t>::max();
constexpr size_t kBlockTokens = 65536;
// Words whose pieces are kept, and how long one may be: some 10 MB.
constexpr size_t kKeptWords = 65536;
constexpr size_t kKeptWordBytes = 64;

/// The inverse of UnitText.
uint32_t UnitOf(TokenKind kind, const std::string& token) {
  if (kind == TokenKind::kByte) return static_cast<unsigned char>(token[0]);
  UChar32 code_point = 0;
  const auto* bytes = reinterpret_cast<const uint8_t*>(token.data());
  U8_GET_OR_FFFD(bytes, 0, 0, static_cast<int32_t>(token.size()), code_point);
  return static_cast<uint32_t>(code_point);
}

}  // namespace

std::string UnitText(TokenKind kind, uint32_t unit) {
  if (kind == TokenKind::kByte) return std::string(1, static_cast<char>(unit));
  char bytes[U8_MAX_LENGTH];
  size_t length = 0;
  U8_APPEND_UNSAFE(bytes, length, static_cast<UChar32>(unit));
  return std::string(bytes, length);
}

TokenIds::TokenIds(const Vocabulary& vocabulary, Take take, Missing missing)
    : vocabulary_(vocabulary), take_(std::move(take)), missing_(std::move(missing)) {
  if (vocabulary.kind() != TokenKind::kChar && vocabulary.kind() != TokenKind::kByte) return;
  for (uint32_t id = 0; id < vocabulary.size(); ++id) {
    const std::string& token = vocabulary.tokens()[id];
    if (id == vocabulary.unknown() || token.empty()) continue;
    const uint32_t unit = UnitOf(vocabulary.kind(), token);
    if (unit >= id_of_unit_.size()) id_of_unit_.resize(unit + 1, kNoId);
    id_of_unit_[unit] = id;
  }
}

void TokenIds::TakeUnits(std::span<const uint32_t> units) {
  Flush();
  units_ += units.size();
  ids_.reserve(units.size());
  for (const uint32_t unit : units) {
    uint32_t id = unit < id_of_unit_.size() ? id_of_unit_[unit] : kNoId;
    if (id == kNoId) id = Unknown(UnitText(vocabulary_.kind(), unit));
    ids_.push_back(id);
  }
  Flush();
}

void TokenIds::TakeWord(std::string_view word) {
  if (word == "\n" && SeparatedByWhiteSpace(vocabulary_.kind())) {
    if (!vocabulary_.line_end()) return;
    ++units_;
    return Put(*vocabulary_.line_end());
  }
  ++units_;
  if (vocabulary_.kind() == TokenKind::kSubword) return TakePiecesOf(word);
  Put(IdOf(word));
}

void TokenIds::TakePiecesOf(std::string_view word) {
  const auto kept = pieces_.find(word);
  if (kept != pieces_.end()) return PutPieces(kept->second);
  Pieces pieces;
  const uint64_t unknown_before = unknown_tokens_;
  for (const std::string& token : vocabulary_.subwords()->Segment(word)) {
    pieces.ids.push_back(IdOf(token));
  }
  pieces.unknown = std::exchange(unknown_tokens_, unknown_before) - unknown_before;
  PutPieces(pieces);
  if (word.size() > kKeptWordBytes) return;
  if (pieces_.size() == kKeptWords) pieces_.clear();
  pieces_.emplace(word, std::move(pieces));
}

void TokenIds::PutPieces(const Pieces& pieces) {
  for (const uint32_t id : pieces.ids) Put(id);
  unknown_tokens_ += pieces.unknown;
}

uint32_t TokenIds::IdOf(std::string_view token) {
  const std::optional<uint32_t> id = vocabulary_.Find(token);
  return id ? *id : Unknown(std::string(token));
}

void TokenIds::Put(uint32_t id) {
  ids_.push_back(id);
  if (ids_.size() == kBlockTokens) Flush();
}

void TokenIds::Flush() {
  tokens_ += ids_.size();
  if (!ids_.empty()) take_(ids_);
  ids_.clear();
}

uint32_t TokenIds::Unknown(const std::string& token) {
  if (!vocabulary_.unknown()) missing_(token, tokens_ + ids_.size());
  ++unknown_tokens_;
  return vocabulary_.unknown().value();
}

}  // namespace lockstep::io
