#ifndef LOCKSTEP_TRAINER_TASKS_FORECAST_WINDOWS_H_
#define LOCKSTEP_TRAINER_TASKS_FORECAST_WINDOWS_H_

#include <cstdint>
#include <string>
#include <vector>

#include "io/datasets/series_dataset.h"

namespace lockstep::trainer {

/// Rows [begin, end) of a series that belong to a split.
struct RowRange {
  uint64_t begin = 0;
  uint64_t end = 0;
};

/// The rows of a split ("train", "validation", "test") of one series. UsageError, with the splits
/// there are, for another name.
RowRange RowsOfSplit(const io::Series& series, const std::string& split);

/// One window of a series: its targets are rows [first_target, first_target + horizon), its history
/// the rows before.
struct Window {
  uint64_t series = 0;
  uint64_t first_target = 0;
};

/// The windows of a split of all series, numbered series by series. A window belongs to the split
/// that all of its targets lie in; its history may reach back into the split before, as the
/// literature counts. None is left out but those between the strides.
class Windows {
 public:
  /// All >= 1. `dataset` must outlive this.
  Windows(const io::SeriesDataset& dataset, const std::string& split, int64_t history,
          int64_t horizon, int64_t stride = 1);

  int64_t count() const { return ends_.empty() ? 0 : ends_.back(); }
  /// Series that are too short for a single one.
  int64_t series_without() const { return series_without_; }

  /// 0 <= index < count().
  Window At(int64_t index) const;

 private:
  const int64_t stride_;
  std::vector<int64_t> ends_;           // of each series: windows up to its last one
  std::vector<uint64_t> first_target_;  // of each series' first window
  int64_t series_without_ = 0;
};

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_FORECAST_WINDOWS_H_
