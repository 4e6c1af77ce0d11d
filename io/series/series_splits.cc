#include "io/series/series_splits.h"

#include <algorithm>
#include <array>
#include <numeric>
#include <optional>

#include <fmt/format.h>

#include "io/datasets/dataset.h"
#include "io/errors.h"
#include "io/series/table_rows.h"
#include "io/series/time_text.h"

namespace lockstep::io {
namespace {

constexpr const char* kNames[] = {"training", "validation", "test"};

// The first row at or behind a time.
uint64_t RowAt(int64_t time, const Series& series, const Frequency& frequency) {
  uint64_t begin = 0;
  for (uint64_t count = series.rows; count > 0;) {
    const uint64_t half = count / 2;
    if (TimeAt(series.start, frequency, static_cast<int64_t>(begin + half)) < time) {
      begin += half + 1;
      count -= half + 1;
    } else {
      count = half;
    }
  }
  return begin;
}

}  // namespace

SeriesSplits::SeriesSplits(const SeriesImportOptions& options, const Frequency& frequency)
    : shares_(options.split_shares), counts_(options.split_rows), frequency_(frequency) {
  if (int{!shares_.empty()} + int{!counts_.empty()} + int{!options.split_times.empty()} > 1) {
    throw InputError(
        "the splits are named twice: give shares, rows or times (--split, --split-rows, "
        "--split-time).");
  }
  if (!counts_.empty() &&
      (counts_.size() > 3 || std::accumulate(counts_.begin(), counts_.end(), uint64_t{0}) == 0)) {
    throw InputError(
        "the split must be one to three counts of rows for training, validation and "
        "test. Give for example 8640,2880,2880.");
  }
  if (!options.split_times.empty() && (options.split_times.size() > 2 || frequency.none())) {
    throw InputError(
        frequency.none()
            ? "the splits are named by time, but there is no time column. Name one "
              "with --time, or rows with --split-rows."
            : "the split must be one or two times, at which validation and test begin.");
  }
  for (const std::string& text : options.split_times) {
    const std::optional<int64_t> time = ParseTime(text);
    if (!time || (!times_.empty() && *time < times_.back())) {
      throw InputError(fmt::format(
          "the split's time is {}, expected {}.", Quoted(text),
          time ? "a time that is not before the one before it" : "a time as 2016-07-01T00:00:00"));
    }
    times_.push_back(*time);
  }
  if (counts_.empty() && times_.empty()) {
    if (shares_.empty()) shares_ = {70, 10, 20};
    CheckSplitShares(shares_);
  }
}

void SeriesSplits::Cut(Series* series) {
  std::array<uint64_t, 3> ends = {};
  if (!counts_.empty()) {
    uint64_t end = 0;
    for (size_t i = 0; i < ends.size(); ++i) {
      const uint64_t count = i < counts_.size() ? counts_[i] : 0;
      if (count > series->rows - end) {
        throw InputError(fmt::format(
            "series {} has {} rows, expected at least {} for --split-rows. Give fewer, or shares "
            "with --split.",
            Quoted(series->id), series->rows,
            std::accumulate(counts_.begin(), counts_.end(), uint64_t{0})));
      }
      ends[i] = end += count;
    }
  } else if (!times_.empty()) {
    ends.fill(series->rows);
    for (size_t i = 0; i < times_.size(); ++i) ends[i] = RowAt(times_[i], *series, frequency_);
  } else {
    ends = SplitEnds(shares_, series->rows);
  }
  series->train_end = ends[0];
  series->validation_end = ends[1];
  series->test_end = ends[2];
  ++series_;
  rows_[0] += ends[0];
  rows_[1] += ends[1] - ends[0];
  rows_[2] += ends[2] - ends[1];
}

void SeriesSplits::RequireRows() const {
  for (size_t i = 0; i < std::size(rows_); ++i) {
    const bool asked = !counts_.empty()  ? i < counts_.size() && counts_[i] > 0
                       : !times_.empty() ? i <= times_.size()
                                         : i < shares_.size() && shares_[i] > 0;
    if (asked && rows_[i] == 0) {
      throw InputError(fmt::format(
          "found no rows for {} in {} series, expected some. Cut the splits elsewhere (--split, "
          "--split-rows, --split-time).",
          kNames[i], series_));
    }
  }
}

}  // namespace lockstep::io
