#include "trainer/tasks/forecast/forecast_results.h"

#include <algorithm>
#include <cmath>

#include "trainer/tasks/forecast/forecast_starts.h"

namespace lockstep::trainer {
namespace {

// [rows, C + K], in the original unit.
std::vector<float> ReadRows(const io::SeriesDataset& dataset, uint64_t series, uint64_t first,
                            int64_t rows) {
  std::vector<float> values(static_cast<uint64_t>(rows) * dataset.description().row_width());
  if (rows > 0) dataset.ReadRows(dataset.series(series).first_row + first, values);
  return values;
}

// A panel's rows, without values.
ForecastPanel EmptyPanel(const PredictedWindow& predicted, const io::SeriesDataset& dataset,
                         int64_t history, int64_t horizon) {
  ForecastPanel panel;
  const io::Series& series = dataset.series(predicted.window.series);
  const io::Frequency& frequency = dataset.description().frequency;
  panel.series = series.id;
  panel.first_row = static_cast<int64_t>(predicted.window.first_target) - history;
  for (int64_t t = 0; t < history + horizon && !frequency.none(); ++t) {
    panel.times.push_back(io::TimeAt(series.start, frequency, panel.first_row + t));
  }
  return panel;
}

// Levels rise, so that the widest interval comes first.
std::vector<ForecastBand> BandsOf(const PredictedWindow& predicted,
                                  const ForecastResultOptions& options, int64_t channel,
                                  int64_t channels) {
  const int64_t Q = std::ssize(options.levels);
  std::vector<ForecastBand> bands;
  for (int64_t low = 0; low < Q && options.levels[low] < 0.5; ++low) {
    const double mirrored = 1.0 - options.levels[low];
    const auto found = std::ranges::find_if(
        options.levels, [&](double level) { return std::abs(level - mirrored) < 1e-9; });
    if (found == options.levels.end()) continue;
    const int64_t high = found - options.levels.begin();
    ForecastBand band;
    band.percent = static_cast<int>(std::lround(100.0 * (1.0 - 2.0 * options.levels[low])));
    for (int64_t t = 0; t < options.horizon; ++t) {
      const double* quantiles = &predicted.quantiles[(t * channels + channel) * Q];
      band.lower.push_back(quantiles[low]);
      band.upper.push_back(quantiles[high]);
    }
    bands.push_back(std::move(band));
  }
  return bands;
}

}  // namespace

ForecastTable::ForecastTable(const std::filesystem::path& path, const io::SeriesDataset& dataset,
                             const ForecastResultOptions& options)
    : dataset_(dataset),
      options_(options),
      file_(path),
      csv_(text_, options_.levels, options_.with_truth) {}

void ForecastTable::Add(const PredictedWindow& predicted) {
  const Window& window = predicted.window;
  const auto& channels = dataset_.description().channels;
  const int64_t C = std::ssize(channels), Q = std::ssize(options_.levels);
  const auto width = static_cast<int64_t>(dataset_.description().row_width());
  std::vector<float> truth;
  if (options_.with_truth) {
    truth = ReadRows(dataset_, window.series, window.first_target, options_.horizon);
  }
  const std::string& id = dataset_.series(window.series).id;
  for (int64_t t = 0; t < options_.horizon; ++t) {
    const std::string time =
        RowText(dataset_, window.series, static_cast<int64_t>(window.first_target) + t);
    for (int64_t c = 0; c < C; ++c) {
      const int64_t at = t * C + c;
      csv_.Row(time, id, channels[c], predicted.mean[at],
               std::span(predicted.quantiles).subspan(at * Q, Q),
               truth.empty() ? 0.0f : truth[t * width + c]);
    }
  }
  file_.Write(text_.view());
  text_.str("");
}

void ForecastTable::Finish() {
  file_.Write(text_.view());
  file_.Finish();
}

std::vector<ForecastPanel> ForecastPanels(const PredictedWindow& predicted,
                                          const io::SeriesDataset& dataset,
                                          const ForecastResultOptions& options) {
  const Window& window = predicted.window;
  const auto& channels = dataset.description().channels;
  const int64_t C = std::ssize(channels);
  const auto width = static_cast<int64_t>(dataset.description().row_width());
  const uint64_t before = window.first_target - dataset.series(window.series).begin;
  const int64_t history =
      std::min(static_cast<int64_t>(before), std::max<int64_t>(3 * options.horizon, 48));
  const uint64_t first = window.first_target - static_cast<uint64_t>(history);
  const auto rows =
      ReadRows(dataset, window.series, first, history + (options.with_truth ? options.horizon : 0));
  std::vector<ForecastPanel> panels;
  for (int64_t c = 0; c < C; ++c) {
    ForecastPanel panel = EmptyPanel(predicted, dataset, history, options.horizon);
    panel.channel = channels[c];
    for (int64_t at = c; at < std::ssize(rows); at += width) {
      (at < history * width ? panel.history : panel.truth).push_back(rows[at]);
    }
    for (int64_t t = 0; t < options.horizon; ++t) panel.mean.push_back(predicted.mean[t * C + c]);
    panel.bands = BandsOf(predicted, options, c, C);
    panels.push_back(std::move(panel));
  }
  return panels;
}

}  // namespace lockstep::trainer
