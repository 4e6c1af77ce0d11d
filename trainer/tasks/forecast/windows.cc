#include "trainer/tasks/forecast/windows.h"

#include <algorithm>

#include <fmt/format.h>

#include "trainer/exit_status.h"

namespace lockstep::trainer {

RowRange RowsOfSplit(const io::Series& series, const std::string& split) {
  if (split == "train") return {series.begin, series.train_end};
  if (split == "validation") return {series.train_end, series.validation_end};
  if (split == "test") return {series.validation_end, series.test_end};
  throw UsageError(
      fmt::format("there is no split \"{}\" of series; there are train, validation, test", split));
}

Windows::Windows(const io::SeriesDataset& dataset, const std::string& split, int64_t history,
                 int64_t horizon, int64_t stride)
    : stride_(stride) {
  int64_t count = 0;
  for (uint64_t i = 0; i < dataset.series_count(); ++i) {
    const io::Series& series = dataset.series(i);
    const RowRange rows = RowsOfSplit(series, split);
    const uint64_t first = std::max(rows.begin, series.begin + static_cast<uint64_t>(history));
    const auto places = static_cast<int64_t>(rows.end) - static_cast<int64_t>(first) - horizon + 1;
    if (places > 0) {
      count += (places + stride - 1) / stride;
    } else if (rows.end > rows.begin) {
      ++series_without_;
    }
    first_target_.push_back(first);
    ends_.push_back(count);
  }
}

Window Windows::At(int64_t index) const {
  const auto series = static_cast<size_t>(std::ranges::upper_bound(ends_, index) - ends_.begin());
  const int64_t before = series > 0 ? ends_[series - 1] : 0;
  return {series, first_target_[series] + static_cast<uint64_t>((index - before) * stride_)};
}

}  // namespace lockstep::trainer
