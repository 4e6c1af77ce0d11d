#include "io/hdf5/h5_pieces.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "io/files/digest.h"

namespace lockstep::io {
namespace {

constexpr uint64_t kBufferPieces = 16;

uint64_t RowBytes(ElementType type, const std::vector<uint64_t>& shape) {
  uint64_t bytes = ElementBytes(type);
  for (size_t i = 1; i < shape.size(); ++i) bytes *= shape[i];
  return bytes;
}

}  // namespace

PieceWriter::PieceWriter(H5Writer* writer, const std::string& name, std::string digests_name,
                         ElementType type, const std::vector<uint64_t>& piece)
    : writer_(writer),
      digests_name_(std::move(digests_name)),
      row_bytes_(RowBytes(type, piece)),
      piece_bytes_(row_bytes_ * piece[0]),
      stream_(writer->StartStream(name, type, piece)) {
  buffer_.reserve(kBufferPieces * piece_bytes_);
}

void PieceWriter::Append(const void* rows, uint64_t count) {
  const char* next = static_cast<const char*>(rows);
  for (uint64_t bytes = count * row_bytes_; bytes > 0;) {
    const uint64_t now = std::min(kBufferPieces * piece_bytes_ - buffer_.size(), bytes);
    buffer_.insert(buffer_.end(), next, next + now);
    next += now;
    bytes -= now;
    if (buffer_.size() == kBufferPieces * piece_bytes_) Flush();
  }
}

std::string PieceWriter::Finish() {
  Flush();
  std::string digest = stream_.Finish();
  writer_->WriteArray(digests_name_, std::span<const uint64_t>(digests_));
  return digest;
}

void PieceWriter::Flush() {
  for (uint64_t at = 0; at < buffer_.size(); at += piece_bytes_) {
    const uint64_t bytes = std::min<uint64_t>(piece_bytes_, buffer_.size() - at);
    digests_.push_back(ShortDigest(buffer_.data() + at, bytes));
  }
  stream_.Append(buffer_.data(), buffer_.size() / row_bytes_);
  buffer_.clear();
}

PieceReader::PieceReader(const H5Reader& reader, const std::string& name,
                         const std::string& digests_name, uint64_t piece_rows, uint64_t cache_bytes)
    : reader_(reader),
      array_(reader.OpenArray(name)),
      row_bytes_(RowBytes(array_.type(), array_.shape())),
      piece_rows_(piece_rows),
      cache_bytes_(cache_bytes),
      digests_(reader.ReadArray<uint64_t>(digests_name)) {
  const uint64_t rows = array_.shape()[0];
  if (digests_.size() != rows / piece_rows + (rows % piece_rows != 0)) {
    reader.FailBecause(fmt::format("{} does not fit {}", digests_name, name));
  }
  entries_.resize(digests_.size());
  all_fit_ = rows <= cache_bytes / row_bytes_;
}

void PieceReader::Prefetch(uint64_t index, uint64_t begin, uint64_t count) const {
  constexpr size_t kLineBytes = 64;
  const std::vector<char>& bytes = entries_[index].bytes;
  if (bytes.empty()) return;
  const char* end = bytes.data() + std::min((begin + count) * row_bytes_, bytes.size());
  for (const char* at = bytes.data() + begin * row_bytes_; at < end; at += kLineBytes) {
    __builtin_prefetch(at);
  }
}

std::vector<char> PieceReader::Load(uint64_t index) const {
  const uint64_t begin = index * piece_rows_;
  const uint64_t count = std::min(piece_rows_, array_.shape()[0] - begin);
  std::vector<char> piece(count * row_bytes_);
  array_.ReadRows(begin, count, piece.data());
  if (ShortDigest(piece.data(), piece.size()) != digests_[index]) {
    reader_.FailBecause(fmt::format("the digest of rows {} to {} of {} does not hold", begin,
                                    begin + count - 1, array_.name()));
  }
  if (check_) check_(piece, index);
  return piece;
}

std::span<const char> PieceReader::Piece(uint64_t index) {
  Entry& entry = entries_[index];
  if (!entry.bytes.empty()) {
    if (!all_fit_ && entry.place != recent_.begin())
      recent_.splice(recent_.begin(), recent_, entry.place);
    return entry.bytes;
  }
  std::vector<char> piece = Load(index);
  while (!recent_.empty() && cached_bytes_ + piece.size() > cache_bytes_) {
    cached_bytes_ -= entries_[recent_.back()].bytes.size();
    entries_[recent_.back()].bytes = {};
    recent_.pop_back();
  }
  entry.bytes = std::move(piece);
  cached_bytes_ += entry.bytes.size();
  entry.place = recent_.insert(recent_.begin(), index);
  return entry.bytes;
}

}  // namespace lockstep::io
