#ifndef LOCKSTEP_IO_SERIES_NPY_ARRAY_H_
#define LOCKSTEP_IO_SERIES_NPY_ARRAY_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "io/files/file_descriptor.h"

namespace lockstep::io {

/// Whether the file begins as NumPy's .npy files do.
bool IsNpy(const std::filesystem::path& path);

/// An array of numbers in a .npy file (NumPy enhancement proposal 1; versions 1 to 3):
/// little-endian float32, float64 or integers of 8 to 64 bits, of one dimension or two, in C's or
/// Fortran's order.
class NpyArray {
 public:
  /// InputError, saying what was found: no such file, another kind of array, a file that is cut
  /// short.
  explicit NpyArray(const std::filesystem::path& path);

  uint64_t rows() const { return rows_; }
  uint64_t columns() const { return columns_; }  ///< 1 with one dimension

  /// Rows [first, first + count), row-major; `out` has room.
  void Read(uint64_t first, uint64_t count, double* out) const;

 private:
  void ParseHeader(const std::string& header);
  // `count` numbers from the place of number `first`, `stride` apart in `out`.
  void ReadNumbers(uint64_t first, uint64_t count, uint64_t stride, double* out) const;

  std::filesystem::path path_;
  FileDescriptor file_;
  std::string type_;  // "f4", "i8", ...
  uint64_t element_bytes_ = 0;
  bool fortran_order_ = false;
  uint64_t begin_bytes_ = 0;
  uint64_t rows_ = 0;
  uint64_t columns_ = 1;
  mutable std::vector<char> buffer_;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_SERIES_NPY_ARRAY_H_
