#ifndef LOCKSTEP_IO_DATASETS_ID_PIECES_H_
#define LOCKSTEP_IO_DATASETS_ID_PIECES_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "io/hdf5/h5_pieces.h"

namespace lockstep::io {

// A long array of ids 0..limit-1 (of a vocabulary, of a list of names) in pieces, each with its
// digest: io/hdf5/h5_pieces.h. The prose is in io/FORMATS.md.

/// Ids in a piece, which is also a chunk: 64 lanes that read far apart hold 4 MB at most.
inline constexpr uint64_t kPieceIds = 16384;

/// Ids are handed out as int32.
inline constexpr uint64_t kMostIds = uint64_t{1} << 31;

/// uint8, uint16 or uint32, the smallest that holds every id below the limit.
ElementType IdType(uint64_t limit);

/// Writes one. Must not outlive its writer.
class IdWriter {
 public:
  IdWriter(H5Writer* writer, const std::string& name, const std::string& digests_name,
           uint64_t limit);

  /// std::invalid_argument when an id is not below the limit; SystemError on a full disk.
  void Append(std::span<const uint32_t> ids);
  uint64_t size() const { return pieces_.size(); }
  /// Writes what is left. Returns the digest of the whole.
  std::string Finish() { return pieces_.Finish(); }

 private:
  template <typename Element>
  void AppendAs(std::span<const uint32_t> ids);

  uint64_t limit_;
  ElementType type_;
  PieceWriter pieces_;
  std::vector<char> narrow_;  // ids as they are stored
};

/// Reads one. Must not outlive its reader, nor be moved.
class IdReader {
 public:
  /// Up to `cache_bytes` of it stay in memory. DamagedFileError when the array is not one of such
  /// ids.
  IdReader(const H5Reader& reader, const std::string& name, const std::string& digests_name,
           uint64_t limit, uint64_t cache_bytes);
  IdReader(const IdReader&) = delete;
  IdReader& operator=(const IdReader&) = delete;

  const H5Array& array() const { return pieces_.array(); }
  uint64_t size() const { return array().size(); }
  /// Ids [begin, begin + out.size()); std::out_of_range when there are fewer. DamagedFileError when
  /// a digest does not hold or an id is not below the limit.
  void Read(uint64_t begin, std::span<int32_t> out) const;

 private:
  template <typename Element>
  void CheckIds(std::span<const char> piece, uint64_t index) const;
  void CheckPiece(std::span<const char> piece, uint64_t index) const;
  void Widen(std::span<const char> piece, uint64_t first, std::span<int32_t> out) const;

  const H5Reader& reader_;
  uint64_t limit_;
  mutable PieceReader pieces_;  // what it keeps in memory changes
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_DATASETS_ID_PIECES_H_
