#ifndef LOCKSTEP_IO_HDF5_H5_WRITER_H_
#define LOCKSTEP_IO_HDF5_H5_WRITER_H_

#include <cstdint>
#include <filesystem>
#include <set>
#include <span>
#include <string>
#include <vector>

#include "io/files/digest.h"
#include "io/hdf5/h5.h"

namespace lockstep::io {

class H5Writer;

/// An array that grows in its first dimension while it is written. Must not outlive its writer.
class H5Stream {
 public:
  /// Appends rows. They reach the system before the call returns, so a full disk is seen here; give
  /// multiples of the chunk, except at the end.
  void Append(const void* rows, uint64_t count);
  /// Rows so far.
  uint64_t size() const { return shape_[0]; }
  /// Stores the digest and closes the array. Returns the digest.
  std::string Finish();

 private:
  friend class H5Writer;
  H5Stream(H5Writer* writer, std::string name, ElementType type, std::vector<uint64_t> shape,
           H5Handle dataset);

  H5Writer* writer_;
  std::string name_;
  ElementType type_;
  std::vector<uint64_t> shape_;  // so far
  H5Handle dataset_;
  Digest digest_;
};

/// Writes one HDF5 file with the settings that all files of ours have: format bounds V110 (metadata
/// with checksums), chunked arrays with fletcher32 and a digest each, a user block for the seal,
/// and no times, so that the same contents give the same bytes. SystemError when a call fails.
class H5Writer {
 public:
  /// Overwrites the file `path`; errors speak of it as `name`.
  H5Writer(const std::filesystem::path& path, const std::filesystem::path& name);
  H5Writer(const H5Writer&) = delete;
  H5Writer& operator=(const H5Writer&) = delete;

  /// Writes an array with its groups; `name` is absolute: "/vocabulary/offsets". `elements` are
  /// row-major. An empty shape is a scalar: stored with shape [1] and the attribute `scalar` = 1.
  void WriteArray(const std::string& name, ElementType type, std::vector<uint64_t> shape,
                  const void* elements);
  /// One-dimensional arrays.
  template <typename Element>
  void WriteArray(const std::string& name, std::span<const Element> elements) {
    WriteArray(name, ElementTypeOf<Element>(), {elements.size()}, elements.data());
  }
  void WriteText(const std::string& name, const std::string& text);

  /// `chunk` is the shape of a chunk: of so many rows, whose own shape are the other dimensions.
  H5Stream StartStream(const std::string& name, ElementType type,
                       const std::vector<uint64_t>& chunk);

  /// Small values of fixed length, on an array or a group (which is created); "/" is the root.
  void WriteAttribute(const std::string& object, const std::string& name, int64_t value);
  void WriteAttribute(const std::string& object, const std::string& name, double value);
  void WriteAttribute(const std::string& object, const std::string& name, const std::string& value);

  /// Closes the file, opens it again and compares all it holds with what was meant. HDF5 loses
  /// writes without a word when the disk fills up while it closes. SystemError when anything
  /// differs.
  void CloseAndCompare();

 private:
  friend class H5Stream;
  H5Handle CreateArray(const std::string& name, ElementType type,
                       const std::vector<uint64_t>& shape, const std::vector<uint64_t>& most,
                       const std::vector<uint64_t>& chunk);
  void EnsureGroup(const std::string& name);
  void StoreAttribute(const std::string& object, const std::string& name, int64_t type,
                      const void* value);

  std::filesystem::path path_;
  std::filesystem::path name_;
  H5Calls calls_;
  H5Handle file_;
  std::set<std::string> groups_;
  H5Contents meant_;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_HDF5_H5_WRITER_H_
