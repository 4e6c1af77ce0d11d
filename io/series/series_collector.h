#ifndef LOCKSTEP_IO_SERIES_SERIES_COLLECTOR_H_
#define LOCKSTEP_IO_SERIES_SERIES_COLLECTOR_H_

#include <cstdint>
#include <deque>
#include <span>
#include <string>
#include <string_view>
#include <unordered_map>
#include <vector>

#include "io/series/series_clock.h"
#include "io/series/series_import.h"
#include "io/series/series_spill.h"
#include "io/series/table_rows.h"
#include "io/series/table_schema.h"

namespace lockstep::io {

/// Numbers series by their names, in the order in which they appear.
class SeriesNames {
 public:
  /// A new one has the next number.
  uint64_t IndexOf(std::string_view name) {
    if (last_ < names_.size() && names_[last_] == name) return last_;
    return Find(name);
  }
  uint64_t size() const { return names_.size(); }
  const std::string& operator[](uint64_t index) const { return names_[index]; }

 private:
  uint64_t Find(std::string_view name);

  std::deque<std::string> names_;  // which stay where they are
  std::unordered_map<std::string_view, uint64_t> indices_;
  uint64_t last_ = 0;
};

/// Sorts the rows of tables by series, checks their order, and fills rows that are missing with
/// NaN.
class SeriesCollector {
 public:
  /// What is known of a series.
  struct State {
    SeriesClock clock;            ///< of all rows
    uint64_t value_rows = 0;      ///< up to the last one that has a value
    uint64_t missing_rows = 0;    ///< that were put in
    uint64_t missing_values = 0;  ///< in the value_rows
    uint64_t missing_since = 0;   ///< in the rows behind them
  };

  /// Both must outlive it. Without a spill the rows are only checked.
  SeriesCollector(const TableSchema* schema, MissingMode missing, SeriesSpill* spill)
      : schema_(*schema), missing_(missing), spill_(spill) {}

  /// Takes the row that `rows` stand at. InputError: it is not what its series goes on with, or
  /// lacks a cell that must be there.
  template <typename Rows>
  void Take(const Rows& rows);
  /// Behind the last row. InputError: there was none; `name` is that of the first table.
  void RequireRows(const std::string& name) const;

  const SeriesNames& names() const { return names_; }
  const State& series(uint64_t index) const { return states_[index]; }
  /// [A], NaN where none was given.
  std::span<const float> statics(uint64_t index) const {
    return std::span(statics_).subspan(index * schema_.statics, schema_.statics);
  }

 private:
  uint64_t IndexOf(const TableRow& row);
  template <typename Rows>
  void StepTo(const Rows& rows, uint64_t index);
  void AddMissing(uint64_t index, uint64_t count);
  template <typename Rows>
  void TakeStatics(const Rows& rows, uint64_t index);
  template <typename Rows>
  void RefuseMissing(const Rows& rows, uint64_t index);

  const TableSchema& schema_;
  MissingMode missing_;
  SeriesSpill* spill_;
  SeriesNames names_;
  std::vector<State> states_;
  std::vector<float> statics_;
  // Messages about rows without values that are wrong when a row with one follows.
  std::unordered_map<uint64_t, std::string> pending_;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_SERIES_SERIES_COLLECTOR_H_
