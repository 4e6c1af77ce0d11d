#ifndef LOCKSTEP_IO_HDF5_H5_READER_H_
#define LOCKSTEP_IO_HDF5_H5_READER_H_

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "io/hdf5/h5.h"

namespace lockstep::io {

/// How an array lies in its file, checked so that nothing that is claimed can make a reader ask for
/// more memory than the file has bytes, or for less than it then fills. DamagedFileError for what
/// no file of ours has: another layout than chunks (external and virtual ones name other files),
/// another filter than fletcher32, other types, more dimensions or more bytes than there can be.
struct H5ArrayLayout {
  H5ArrayLayout(const H5Calls& calls, const H5Handle& dataset, const std::string& name,
                uint64_t file_bytes);

  ElementType type;
  std::vector<uint64_t> shape;
  uint64_t bytes = 0;       ///< of all elements
  uint64_t chunk_rows = 1;  ///< of the first dimension; at most the array's own
};

/// An array of an open file. Must not outlive its reader. DamagedFileError when a checksum or the
/// digest does not hold.
class H5Array {
 public:
  const std::string& name() const { return name_; }
  ElementType type() const { return layout_.type; }
  const std::vector<uint64_t>& shape() const { return layout_.shape; }
  /// Stored from an empty shape.
  bool is_scalar() const { return is_scalar_; }
  /// The number of elements.
  uint64_t size() const;
  /// What was stored as the digest of the elements.
  const std::string& digest() const { return digest_; }

  /// Rows [first, first + count) of the first dimension, row-major, as they are stored. Checks the
  /// checksums of what is read, which miss a block of zeros. `out` has room.
  void ReadRows(uint64_t first, uint64_t count, void* out) const;
  /// All elements, and checks the digest. `out` has room for size().
  void ReadAll(void* out) const;
  /// Reads everything in pieces and checks the digest.
  void Verify() const;

 private:
  friend class H5Reader;
  H5Array(const H5Calls* calls, std::string name, H5Handle dataset, uint64_t file_bytes);
  uint64_t RowElements() const;
  void CheckDigest(const std::string& computed) const;

  const H5Calls* calls_;
  std::string name_;
  H5Handle dataset_;
  H5ArrayLayout layout_;
  std::string digest_;
  bool is_scalar_ = false;
};

/// Reads an HDF5 file of ours. Check the seal first: HDF5 parses whatever it is given.
/// DamagedFileError when something is missing, of another type, or does not hold, and already when
/// it is opened for what no file of ours has and could do harm: links to elsewhere, two names for
/// one object, tens of thousands of objects, arrays that claim more bytes than the file has (each
/// as in H5ArrayLayout, and all together).
class H5Reader {
 public:
  explicit H5Reader(const std::filesystem::path& path);
  H5Reader(const H5Reader&) = delete;
  H5Reader& operator=(const H5Reader&) = delete;

  /// Absolute names of all arrays, sorted.
  const std::vector<std::string>& array_names() const { return array_names_; }

  /// Arrays without a digest are refused.
  H5Array OpenArray(const std::string& name) const;
  /// The same of one dimension and the elements' type.
  template <typename Element>
  H5Array OpenArray(const std::string& name) const {
    return OpenArray(name, ElementTypeOf<Element>());
  }
  /// One-dimensional array of the elements' type, digest checked.
  template <typename Element>
  std::vector<Element> ReadArray(const std::string& name) const {
    const H5Array array = OpenArray<Element>(name);
    std::vector<Element> elements(array.size());
    array.ReadAll(elements.data());
    return elements;
  }
  std::string ReadText(const std::string& name) const;

  int64_t ReadInteger(const std::string& object, const std::string& name) const;
  std::string ReadString(const std::string& object, const std::string& name) const;
  /// All attributes of a group; empty when there is no such group.
  std::map<std::string, int64_t> ReadIntegers(const std::string& group) const;
  std::map<std::string, double> ReadReals(const std::string& group) const;

  /// Reads everything and checks every digest.
  H5Contents Contents() const;

  /// DamagedFileError that names the file.
  [[noreturn]] void FailBecause(std::string_view what) const { calls_.FailBecause(what); }

 private:
  H5Array OpenArray(const std::string& name, ElementType type) const;
  void ListObjects();

  H5Calls calls_;
  uint64_t file_bytes_ = 0;
  H5Handle file_;
  std::vector<std::string> array_names_;
  std::vector<std::string> group_names_;  // the root among them; sorted
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_HDF5_H5_READER_H_
