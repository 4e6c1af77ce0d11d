#ifndef LOCKSTEP_IO_SERIES_TABLE_ROWS_H_
#define LOCKSTEP_IO_SERIES_TABLE_ROWS_H_

#include <cstdint>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/series/csv_reader.h"
#include "io/series/table_schema.h"

namespace lockstep::io {

/// "'cell'", cut where it is long and escaped where it is not printable.
std::string Quoted(std::string_view cell);

/// A row of a table, in numbers; valid until the next one is read.
struct TableRow {
  std::string_view series;         ///< empty without a series column
  int64_t time = 0;                ///< 0 without a time column
  std::span<const float> values;   ///< [C + K]; missing: NaN
  std::span<const float> statics;  ///< [A]; missing: NaN
  size_t missing_values = 0;       ///< among the first C
  size_t missing_covariates = 0;
  bool has_value() const { return missing_values < channels; }
  size_t channels = 0;
};

/// Reads the rows of one table, behind its first line.
class TableRows {
 public:
  /// Both must outlive it; categories that appear are added to the schema.
  TableRows(CsvReader* table, TableSchema* schema);

  /// False at the end. InputError, naming file, line, column, what was found and what was expected:
  /// more or fewer cells than columns, a cell that is not what its column holds. The next call goes
  /// on behind that row.
  bool Next();
  const TableRow& row() const { return row_; }

  /// InputError that names the first cell of the row that is missing: one of the values where
  /// `values_too`, or a covariate.
  void RequireWhole(bool values_too) const;
  /// InputError about the cell of the row's time.
  [[noreturn]] void FailForTime(std::string_view expected) const;
  /// InputError about the cell of a static covariate that is not what it was in its series' rows
  /// before.
  [[noreturn]] void FailForStatic(size_t place, std::string_view series) const;
  /// "FILE, line N": where the row is.
  std::string Place() const;

 private:
  void ReadCell(TableSchema::Column* column, std::string_view cell);
  void ReadCovariate(TableSchema::Column* column, std::string_view cell, float* value);
  [[noreturn]] void Fail(const TableSchema::Column& column, std::string_view expected) const;

  CsvReader* table_;
  TableSchema* schema_;
  std::vector<size_t> used_;  // columns that are not ignored
  std::vector<float> values_;
  std::vector<float> statics_;
  TableRow row_;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_SERIES_TABLE_ROWS_H_
