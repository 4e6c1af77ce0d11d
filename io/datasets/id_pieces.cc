#include "io/datasets/id_pieces.h"

#include <algorithm>
#include <numeric>
#include <stdexcept>

#include <fmt/format.h>

namespace lockstep::io {

ElementType IdType(uint64_t limit) {
  if (limit <= uint64_t{1} << 8) return ElementType::kUint8;
  if (limit <= uint64_t{1} << 16) return ElementType::kUint16;
  return ElementType::kUint32;
}

IdWriter::IdWriter(H5Writer* writer, const std::string& name, const std::string& digests_name,
                   uint64_t limit)
    : limit_(limit),
      type_(IdType(limit)),
      pieces_(writer, name, digests_name, type_, {kPieceIds}) {}

template <typename Element>
void IdWriter::AppendAs(std::span<const uint32_t> ids) {
  narrow_.resize(ids.size() * sizeof(Element));
  auto* out = reinterpret_cast<Element*>(narrow_.data());
  for (const uint32_t id : ids) *out++ = static_cast<Element>(id);
  pieces_.Append(narrow_.data(), ids.size());
}

void IdWriter::Append(std::span<const uint32_t> ids) {
  // The greatest is found in vectors; a search for the first wrong one is not.
  const uint32_t most =
      std::accumulate(ids.begin(), ids.end(), uint32_t{0},
                      [](uint32_t left, uint32_t right) { return std::max(left, right); });
  if (!ids.empty() && most >= limit_) {
    throw std::invalid_argument(fmt::format("id {} is not below {}", most, limit_));
  }
  while (!ids.empty()) {
    const auto now = ids.first(std::min<uint64_t>(kPieceIds, ids.size()));
    switch (ElementBytes(type_)) {
      case 1:
        AppendAs<uint8_t>(now);
        break;
      case 2:
        AppendAs<uint16_t>(now);
        break;
      default:
        AppendAs<uint32_t>(now);
    }
    ids = ids.subspan(now.size());
  }
}

IdReader::IdReader(const H5Reader& reader, const std::string& name, const std::string& digests_name,
                   uint64_t limit, uint64_t cache_bytes)
    : reader_(reader), limit_(limit), pieces_(reader, name, digests_name, kPieceIds, cache_bytes) {
  if (array().shape().size() != 1 || limit > kMostIds || array().type() != IdType(limit)) {
    reader.FailBecause(fmt::format("{} should be {} in one dimension, for a vocabulary of {}", name,
                                   ElementName(IdType(limit)), limit));
  }
  pieces_.set_check([this](auto piece, uint64_t index) { CheckPiece(piece, index); });
}

template <typename Element>
void IdReader::CheckIds(std::span<const char> piece, uint64_t index) const {
  const auto* ids = reinterpret_cast<const Element*>(piece.data());
  const Element most = *std::max_element(ids, ids + piece.size() / sizeof(Element));
  if (most >= limit_) {
    reader_.FailBecause(fmt::format("token {} in piece {} of {} is outside the vocabulary of {}",
                                    most, index, array().name(), limit_));
  }
}

void IdReader::CheckPiece(std::span<const char> piece, uint64_t index) const {
  const uint64_t bytes = ElementBytes(array().type());
  if (bytes == 1) CheckIds<uint8_t>(piece, index);
  if (bytes == 2) CheckIds<uint16_t>(piece, index);
  if (bytes == 4) CheckIds<uint32_t>(piece, index);
}

void IdReader::Widen(std::span<const char> piece, uint64_t first, std::span<int32_t> out) const {
  const auto copy = [&](const auto* ids) { std::copy_n(ids + first, out.size(), out.data()); };
  switch (array().type()) {
    case ElementType::kUint8:
      return copy(reinterpret_cast<const uint8_t*>(piece.data()));
    case ElementType::kUint16:
      return copy(reinterpret_cast<const uint16_t*>(piece.data()));
    default:
      return copy(reinterpret_cast<const uint32_t*>(piece.data()));
  }
}

void IdReader::Read(uint64_t begin, std::span<int32_t> out) const {
  if (begin > size() || out.size() > size() - begin) {
    throw std::out_of_range(fmt::format("{} to {} of {}: there are {}", begin, begin + out.size(),
                                        array().name(), size()));
  }
  while (!out.empty()) {
    const uint64_t first = begin % kPieceIds;
    const uint64_t count = std::min<uint64_t>(kPieceIds - first, out.size());
    Widen(pieces_.Piece(begin / kPieceIds), first, out.first(count));
    begin += count;
    out = out.subspan(count);
  }
}

}  // namespace lockstep::io
