#include "trainer/tasks/forecast/forecast_starts.h"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "io/series/time_text.h"
#include "trainer/exit_status.h"

namespace lockstep::trainer {
namespace {

constexpr size_t kMostNamed = 10;  // in a message

std::string SeriesName(const io::Series& series) {
  return series.id.empty() ? "the series" : fmt::format("series \"{}\"", series.id);
}

// With "; " between, and how many more there are.
std::string Listed(const std::vector<std::string>& lines) {
  const auto end = lines.begin() + static_cast<ptrdiff_t>(std::min(lines.size(), kMostNamed));
  std::string text = fmt::format("{}", fmt::join(lines.begin(), end, "; "));
  if (end != lines.end()) text += fmt::format("; and {} more series", lines.end() - end);
  return text;
}

// Those of `series` that are long enough. Where none is, UsageError; `left_out` tells of the
// others.
std::vector<uint64_t> WithHistories(const io::SeriesDataset& dataset, const std::string& name,
                                    std::span<const uint64_t> series, const ForecastNeeds& needs,
                                    std::string* left_out) {
  std::vector<uint64_t> enough;
  std::vector<std::string> lines;
  for (const uint64_t i : series) {
    const io::Series& one = dataset.series(i);
    const uint64_t rows = one.rows - one.begin;
    if (needs.masks_inputs || rows >= static_cast<uint64_t>(needs.history)) {
      enough.push_back(i);
      continue;
    }
    lines.push_back(fmt::format("{} has {}", SeriesName(one), rows));
  }
  if (lines.empty()) return enough;
  *left_out = fmt::format(
      "{}: the model looks at the last {} rows of a series, but {}. (A model of data "
      "imported with --missing mask takes shorter series.)",
      name, needs.history, Listed(lines));
  if (enough.empty()) throw UsageError(*left_out + " Give more rows.");
  return enough;
}

// The columns that a row of the horizon must have.
std::string ColumnsToGive(const io::SeriesDescription& description, bool named_series) {
  std::vector<std::string> columns;
  if (!description.time.empty()) columns.push_back(fmt::format("\"{}\"", description.time));
  if (named_series) columns.push_back("the name of the series");
  for (const io::SeriesCovariate& known : description.known) {
    columns.push_back(fmt::format("\"{}\"", known.name));
  }
  return fmt::format("{}", fmt::join(columns, ", "));
}

void RequireFutures(const io::SeriesDataset& dataset, const std::string& name,
                    std::span<const uint64_t> series, const ForecastNeeds& needs) {
  const io::SeriesDescription& description = dataset.description();
  if (description.known.empty()) return;
  std::vector<std::string> lines;
  for (const uint64_t i : series) {
    const io::Series& one = dataset.series(i);
    const auto first = static_cast<int64_t>(one.rows + one.future_rows);
    const auto last = static_cast<int64_t>(one.rows) + needs.horizon - 1;
    if (first > last) continue;
    lines.push_back(fmt::format("{} needs {} more, {} to {}", SeriesName(one), last - first + 1,
                                RowText(dataset, i, first), RowText(dataset, i, last)));
  }
  if (lines.empty()) return;
  const bool named = !dataset.series(series.front()).id.empty();
  throw UsageError(fmt::format(
      "{}: the forecast of {} rows needs the columns known in advance for all of them, but rows "
      "are missing: {}. Add these rows behind the values, with {} filled and the values empty; "
      "give the table with --data.",
      name, needs.horizon, Listed(lines), ColumnsToGive(description, named)));
}

}  // namespace

std::string RowText(const io::SeriesDataset& dataset, uint64_t series, int64_t row) {
  const io::Frequency& frequency = dataset.description().frequency;
  if (frequency.none()) return std::to_string(row);
  return io::TimeText(io::TimeAt(dataset.series(series).start, frequency, row));
}

std::vector<uint64_t> ChosenSeries(const io::SeriesDataset& dataset,
                                   std::span<const std::string> ids) {
  std::set<std::string> wanted(ids.begin(), ids.end());
  std::vector<uint64_t> chosen;
  for (uint64_t i = 0; i < dataset.series_count(); ++i) {
    if (ids.empty() || wanted.erase(dataset.series(i).id) > 0) chosen.push_back(i);
  }
  if (wanted.empty()) return chosen;
  std::vector<std::string> there;
  for (uint64_t i = 0; i < std::min<uint64_t>(dataset.series_count(), kMostNamed); ++i) {
    there.push_back(fmt::format("\"{}\"", dataset.series(i).id));
  }
  throw UsageError(fmt::format("--series: there is no series \"{}\" among the {} of the data: {}{}",
                               *wanted.begin(), dataset.series_count(), fmt::join(there, ", "),
                               dataset.series_count() > kMostNamed ? ", ..." : "."));
}

std::vector<Window> WindowsPastTheEnd(const io::SeriesDataset& dataset, const std::string& name,
                                      std::span<const uint64_t> series, const ForecastNeeds& needs,
                                      std::string* left_out) {
  const std::vector<uint64_t> enough = WithHistories(dataset, name, series, needs, left_out);
  RequireFutures(dataset, name, enough, needs);
  std::vector<Window> windows;
  for (const uint64_t i : enough) windows.push_back({i, dataset.series(i).rows});
  return windows;
}

std::vector<Window> WindowsOfBacktest(const io::SeriesDataset& dataset, const std::string& name,
                                      std::span<const uint64_t> series,
                                      const ForecastNeeds& needs) {
  const Windows all(dataset, "test", needs.history, needs.horizon, needs.horizon);
  const std::set<uint64_t> chosen(series.begin(), series.end());
  std::vector<Window> windows;
  for (int64_t i = 0; i < all.count(); ++i) {
    const Window window = all.At(i);
    if (chosen.contains(window.series)) windows.push_back(window);
  }
  if (!windows.empty()) return windows;
  throw UsageError(
      fmt::format("{}: --backtest: the test split of no series has a window of {} rows behind a "
                  "history of {}. Import the data with a larger test split; a table has none.",
                  name, needs.horizon, needs.history));
}

}  // namespace lockstep::trainer
