#include "io/text/token_ids.h"

#include <algorithm>
#include <limits>
#include <utility>

#include <unicode/utf8.h>

#include "io/text/subwords.h"

namespace lockstep::io {
namespace {

constexpr uint32_t kNoId = std::numeric_limits<uint32_t>::max();
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

TokenIds::TokenIds(const Vocabulary& vocabulary, Missing missing)
    : vocabulary_(vocabulary), missing_(std::move(missing)) {
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
  units_ += units.size();
  const size_t begin = ids_.size();
  ids_.resize(begin + units.size());
  uint32_t* ids = ids_.data() + begin;
  uint32_t most = 0;  // kNoId is the greatest
  for (size_t i = 0; i < units.size(); ++i) {
    ids[i] = units[i] < id_of_unit_.size() ? id_of_unit_[units[i]] : kNoId;
    most = std::max(most, ids[i]);
  }
  if (most != kNoId) return;
  for (size_t i = 0; i < units.size(); ++i) {
    if (ids[i] != kNoId) continue;
    ids[i] = Unknown(UnitText(vocabulary_.kind(), units[i]), tokens_ + begin + i);
  }
}

void TokenIds::TakeWords(std::span<const std::string_view> words) {
  const std::optional<uint32_t> line_end = vocabulary_.line_end();
  const bool separated = SeparatedByWhiteSpace(vocabulary_.kind());
  const auto take = [&](std::string_view word, const auto& take_other) {
    const bool ends_line = separated && word == "\n";
    if (ends_line && !line_end) return;
    ++units_;
    ends_line ? ids_.push_back(*line_end) : take_other();
  };
  if (vocabulary_.kind() == TokenKind::kSubword) {
    for (const std::string_view word : words) take(word, [&] { TakePiecesOf(word); });
    return;
  }
  vocabulary_.FindEach(words, [&](size_t i, const uint64_t* id) {
    take(words[i], [&] {
      ids_.push_back(id ? static_cast<uint32_t>(*id) : Unknown(std::string(words[i]), tokens()));
    });
  });
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
  ids_.insert(ids_.end(), pieces.ids.begin(), pieces.ids.end());
  unknown_tokens_ += pieces.unknown;
}

uint32_t TokenIds::IdOf(std::string_view token) {
  const std::optional<uint32_t> id = vocabulary_.Find(token);
  return id ? *id : Unknown(std::string(token), tokens());
}

std::vector<uint32_t> TokenIds::Take() {
  tokens_ += ids_.size();
  return std::exchange(ids_, {});
}

uint32_t TokenIds::Unknown(const std::string& token, uint64_t position) {
  if (!vocabulary_.unknown()) missing_(token, position);
  ++unknown_tokens_;
  return vocabulary_.unknown().value();
}

}  // namespace lockstep::io
