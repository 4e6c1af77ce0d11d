#ifndef LOCKSTEP_IO_SERIES_ARRAY_ROWS_H_
#define LOCKSTEP_IO_SERIES_ARRAY_ROWS_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string>
#include <vector>

#include "io/series/series_import.h"
#include "io/series/table_rows.h"
#include "io/series/table_schema.h"

namespace lockstep::io {

/// Whether the file holds arrays (.npy or HDF5) instead of text. Never the standard input.
bool IsArrayFile(const std::filesystem::path& path);

/// The rows of an array [time] or [time, channel], as TableRows has those of a table. Its columns
/// are named 0, 1, ...
class ArrayRows {
 public:
  /// InputError when the array is not there or of another kind.
  ArrayRows(const std::filesystem::path& path, const std::string& array);

  /// All columns are values, or those that options.values names. InputError when the options ask
  /// for what an array does not have, or when this is another number of columns than `schema` has.
  TableSchema FindSchema(const SeriesImportOptions& options) const;
  void RequireSameColumns(const TableSchema& schema) const;
  /// Before the first step; it must outlive the rows.
  void set_schema(const TableSchema* schema);

  /// False at the end. InputError, naming file, row and column, for an infinite value.
  bool Next();
  const TableRow& row() const { return row_; }
  void RequireWhole(bool values_too) const;
  [[noreturn]] void FailForTime(std::string_view expected) const;
  [[noreturn]] void FailForStatic(size_t place, std::string_view series) const;

  const std::string& name() const { return name_; }
  uint64_t bytes_read() const;

 private:
  [[noreturn]] void Fail(size_t column, std::string_view found) const;

  std::string name_;
  uint64_t bytes_ = 0;
  uint64_t rows_ = 0;
  uint64_t columns_ = 0;
  std::function<void(uint64_t first, uint64_t count, double* out)> read_;
  std::vector<size_t> used_;  // the column of each value
  uint64_t next_ = 0;         // row to give
  uint64_t block_first_ = 0;
  std::vector<double> block_;
  std::vector<float> values_;
  TableRow row_;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_SERIES_ARRAY_ROWS_H_
