#ifndef LOCKSTEP_TESTS_IO_SMALL_SERIES_H_
#define LOCKSTEP_TESTS_IO_SMALL_SERIES_H_

#include <cmath>
#include <filesystem>
#include <string>
#include <vector>

#include "io/datasets/series_dataset.h"

namespace lockstep::io {

/// A dataset with all that one can hold: two channels (with a missing value in each series), a
/// numeric and a categorical known covariate, two statics; series of `rows`, `rows` + 1, ... rows.
struct SmallSeries {
  explicit SmallSeries(uint64_t series_count = 3, uint64_t rows_each = 40) {
    description.channels = {"load", "wind"};
    description.known = {{"price", {}}, {"holiday", {"no", "yes", "bridge"}}};
    description.statics = {{"height", {}}, {"country", {"at", "de"}}};
    description.time = "date";
    description.frequency = {3600, 0};
    description.missing = MissingMode::kMask;
    for (uint64_t i = 0; i < series_count; ++i) Add(i, rows_each + i);
  }

  void Add(uint64_t index, uint64_t count) {
    Series one;
    one.id = "series " + std::to_string(index);
    one.first_row = first_row;
    one.rows = count;
    one.future_rows = index % 3;
    one.start = 1467331200 - static_cast<int64_t>(index) * 3600;
    one.train_end = count / 2;
    one.validation_end = count * 3 / 4;
    one.test_end = count;
    first_row += one.rows + one.future_rows;
    series.push_back(one);
    statics.push_back({static_cast<float>(index) + 0.5f, static_cast<float>(index % 2)});
    std::vector<float> values;
    for (uint64_t row = 0; row < one.rows + one.future_rows; ++row) {
      const float x = static_cast<float>(row + 10 * index);
      const bool known_only = row >= one.rows;
      values.push_back(known_only || row == 5 ? NAN : 100 + std::sin(x));
      values.push_back(known_only ? NAN : 0.25f * x);
      values.push_back(x / 2);
      values.push_back(static_cast<float>(row % 3));
    }
    rows.push_back(std::move(values));
  }

  /// Returns the fingerprint.
  std::string Write(const std::filesystem::path& path) const {
    SeriesDatasetWriter writer(path, description);
    for (size_t i = 0; i < series.size(); ++i) {
      writer.StartSeries(series[i], statics[i]);
      writer.Append(rows[i]);
    }
    return writer.Publish({{"first.csv", 100, 40}, {"b/second.csv", 200, 82}});
  }

  SeriesDescription description;
  std::vector<Series> series;
  std::vector<std::vector<float>> statics;
  std::vector<std::vector<float>> rows;  // of each series, with its future rows
  uint64_t first_row = 0;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_TESTS_IO_SMALL_SERIES_H_
