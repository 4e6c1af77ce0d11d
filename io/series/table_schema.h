#ifndef LOCKSTEP_IO_SERIES_TABLE_SCHEMA_H_
#define LOCKSTEP_IO_SERIES_TABLE_SCHEMA_H_

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "io/series/csv_reader.h"
#include "io/series/frequency.h"
#include "io/series/series_import.h"

namespace lockstep::io {

/// What a column of a table is for.
enum class ColumnRole { kIgnored, kTime, kSeries, kValue, kKnown, kStatic };
std::string_view ColumnRoleName(ColumnRole role);  ///< "ignored", "time", ...

/// The categories of a covariate, numbered as they appear.
class CategoryIndex {
 public:
  uint32_t IndexOf(std::string_view name);
  const std::vector<std::string>& names() const { return names_; }

 private:
  std::vector<std::string> names_;
  std::unordered_map<std::string, uint32_t> indices_;
  uint32_t last_ = 0;  // mostly the next one, too
};

/// The columns of all tables of one import, and what the first of them shows of their contents.
struct TableSchema {
  struct Column {
    std::string name;
    ColumnRole role = ColumnRole::kIgnored;
    size_t place = 0;  ///< among the columns of this role
    bool categorical = false;
    bool closed = false;  ///< no category is added
    CategoryIndex categories = {};
  };

  std::vector<Column> columns;  ///< in the tables' order
  bool has_time = false;
  bool has_series = false;
  size_t channels = 0;
  size_t known = 0;
  size_t statics = 0;
  Frequency frequency;  ///< none without a time column
  char decimal_point = '.';

  size_t row_width() const { return channels + known; }
  /// The names and categories of the columns of a role, in the order of their places.
  std::vector<SeriesCovariate> Covariates(ColumnRole role) const;
};

/// Reads the first line, and what more the first block holds, and steps behind the first line.
/// InputError, naming file, line and column: no first line with names, a name that comes twice, a
/// column that is not there, one that should be two things, no column of values; a frequency that
/// is none or cannot be told.
TableSchema FindSchema(CsvReader* table, const SeriesImportOptions& options);

/// Steps behind the first line of a further table. InputError when it names other columns.
void RequireSameColumns(CsvReader* table, const TableSchema& schema);

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_SERIES_TABLE_SCHEMA_H_
