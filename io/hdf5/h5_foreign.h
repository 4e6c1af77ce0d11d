#ifndef LOCKSTEP_IO_HDF5_H5_FOREIGN_H_
#define LOCKSTEP_IO_HDF5_H5_FOREIGN_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "io/hdf5/h5.h"

namespace lockstep::io {

/// Whether HDF5 takes the file for one of its own.
bool IsHdf5(const std::filesystem::path& path);

/// An array of numbers in another program's HDF5 file, without seal and digest: integers or
/// floating-point numbers of any width, of one dimension or two, through any filter that HDF5 has.
class ForeignArray {
 public:
  /// `name` as in "group/values"; empty: the only such array of the file. InputError, naming the
  /// arrays there are, when there is none of this name, when it is of another kind, or when the
  /// name is missing; `option` is how it can be given. DamagedFileError when HDF5 cannot read the
  /// file.
  ForeignArray(const std::filesystem::path& path, const std::string& name,
               const std::string& option = "--array");

  const std::string& name() const { return name_; }
  uint64_t rows() const { return rows_; }
  uint64_t columns() const { return columns_; }  ///< 1 with one dimension

  /// Rows [first, first + count), row-major; `out` has room. DamagedFileError when it cannot be
  /// read.
  void Read(uint64_t first, uint64_t count, double* out) const;

 private:
  H5Calls calls_;
  H5Handle file_;
  std::string name_;
  H5Handle array_;
  uint64_t rows_ = 0;
  uint64_t columns_ = 1;
  bool has_columns_ = false;
};

/// An array of strings of one dimension in another program's HDF5 file; strings of fixed length
/// (without the zeros or spaces behind them) or of variable length.
class ForeignStrings {
 public:
  /// As ForeignArray.
  ForeignStrings(const std::filesystem::path& path, const std::string& name,
                 const std::string& option);

  const std::string& name() const { return name_; }
  uint64_t size() const { return size_; }

  /// Strings [first, first + count). DamagedFileError when they cannot be read.
  void Read(uint64_t first, uint64_t count, std::vector<std::string>* out) const;

 private:
  void ReadVariable(const H5Handle& memory, const H5Handle& space, uint64_t count,
                    std::vector<std::string>* out) const;
  void ReadFixed(const H5Handle& memory, const H5Handle& space, uint64_t count,
                 std::vector<std::string>* out) const;

  H5Calls calls_;
  H5Handle file_;
  std::string name_;
  H5Handle array_;
  H5Handle type_;
  uint64_t size_ = 0;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_HDF5_H5_FOREIGN_H_
