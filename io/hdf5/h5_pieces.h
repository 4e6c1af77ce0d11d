#ifndef LOCKSTEP_IO_HDF5_H5_PIECES_H_
#define LOCKSTEP_IO_HDF5_H5_PIECES_H_

#include <cstdint>
#include <functional>
#include <list>
#include <span>
#include <string>
#include <vector>

#include "io/hdf5/h5_reader.h"
#include "io/hdf5/h5_writer.h"

namespace lockstep::io {

// A long array that is read at random places: its rows in pieces, which are its chunks, too, and
// beside it the uint64 array of each piece's XXH3-64, so that a reader can trust a piece without
// reading the whole. (fletcher32 takes a chunk of zeros for a chunk whose checksum is zero.)

/// Writes such an array. Must not outlive its writer.
class PieceWriter {
 public:
  /// `piece` is the shape of a piece: of so many rows, whose own shape are the other dimensions.
  PieceWriter(H5Writer* writer, const std::string& name, std::string digests_name, ElementType type,
              const std::vector<uint64_t>& piece);

  /// Appends any number of rows. SystemError on a full disk.
  void Append(const void* rows, uint64_t count);
  /// Rows so far.
  uint64_t size() const { return stream_.size() + buffer_.size() / row_bytes_; }
  /// Writes what is left and the digests of the pieces. Returns the digest of the whole.
  std::string Finish();

 private:
  void Flush();

  H5Writer* writer_;
  std::string digests_name_;
  uint64_t row_bytes_;
  uint64_t piece_bytes_;
  H5Stream stream_;
  std::vector<char> buffer_;  // a number of pieces, because each call into HDF5 is dear
  std::vector<uint64_t> digests_;
};

/// Reads such an array and keeps what was read last. Must not outlive its reader.
class PieceReader {
 public:
  /// Called with each piece when it has been read and its digest holds.
  using Check = std::function<void(std::span<const char> piece, uint64_t index)>;

  /// Up to `cache_bytes` of pieces stay in memory, and one at least. DamagedFileError when the
  /// digests do not fit the array.
  PieceReader(const H5Reader& reader, const std::string& name, const std::string& digests_name,
              uint64_t piece_rows, uint64_t cache_bytes);

  const H5Array& array() const { return array_; }
  void set_check(Check check) { check_ = std::move(check); }

  /// The rows of a piece, valid until the next call. DamagedFileError when a checksum does not
  /// hold.
  std::span<const char> Piece(uint64_t index);

  /// Rows [begin, begin + count) of a piece will be read soon: tells the processor, where they are
  /// in memory.
  void Prefetch(uint64_t index, uint64_t begin, uint64_t count) const;

 private:
  struct Entry {
    std::vector<char> bytes;  // empty: not in memory
    std::list<uint64_t>::iterator place;
  };

  std::vector<char> Load(uint64_t index) const;

  const H5Reader& reader_;
  H5Array array_;
  uint64_t row_bytes_;
  uint64_t piece_rows_;
  uint64_t cache_bytes_;
  Check check_;
  std::vector<uint64_t> digests_;
  std::vector<Entry> entries_;
  bool all_fit_ = false;        // then nothing ever goes, and order does not matter
  std::list<uint64_t> recent_;  // pieces in memory, the most recently used first
  uint64_t cached_bytes_ = 0;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_HDF5_H5_PIECES_H_
