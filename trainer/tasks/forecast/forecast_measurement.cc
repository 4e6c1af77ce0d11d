#include "trainer/tasks/forecast/forecast_measurement.h"

#include <algorithm>
#include <cmath>
#include <limits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "trainer/tasks/forecast/baselines.h"
#include "trainer/tasks/forecast/forecast_prediction.h"

namespace lockstep::trainer {
namespace {

// The first sums of a batch.
constexpr size_t kLoss = 0, kTargets = 1;
// Behind them in a training: errors of the forecasts.
constexpr size_t kSquares = 2, kAbsolutes = 3, kValues = 4;

constexpr const char* kForecastNames[] = {"model", "persistence", "seasonal_naive"};

nlohmann::ordered_json JsonOf(const std::vector<NamedMetric>& metrics) {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  for (const NamedMetric& metric : metrics) {
    if (metric.name == "count") {
      json["count"] = static_cast<int64_t>(metric.value);
    } else {
      json[std::string(metric.name)] = metric.value;
    }
  }
  return json;
}

}  // namespace

ForecastMeasurement::ForecastMeasurement(worker::Forecaster& model, const SeriesData& data,
                                         const ForecastMeasurementPlan& plan)
    : model_(model),
      data_(data),
      plan_(plan),
      windows_(data.dataset(), plan.split, model.options().history, model.options().horizon),
      batch_(data),
      past_(data) {
  const worker::ForecasterOptions& options = model.options();
  if (options.loss.kind == worker::ForecastLoss::Kind::kQuantiles) {
    levels_ = options.loss.levels;
  } else if (options.loss.is_distribution()) {
    levels_ = {0.1, 0.2, 0.3, 0.4, 0.5, 0.6, 0.7, 0.8, 0.9};
  }
  if (is_stream()) {
    stream_.emplace(data.dataset(), plan.split, plan.lanes, plan.time_steps,
                    plan.most > 0 ? std::max<int64_t>(1, plan.most / options.channels) : 0);
  }
  if (windows_.count() > 0 && (!is_stream() || plan.full)) {
    const int64_t values = options.horizon * options.channels;
    sample_.emplace(windows_.count(), plan.most > 0 ? std::max<int64_t>(1, plan.most / values) : 0);
  }
  if (!plan.full) return;
  const auto channels = static_cast<size_t>(options.channels);
  shifts_.assign(channels, 0.0);
  const uint64_t series = data.dataset().series_count();
  for (uint64_t i = 0; i < series; ++i) {
    for (size_t c = 0; c < channels; ++c) {
      shifts_[c] += data.means(i)[c] / static_cast<double>(series);
    }
  }
  naive_errors_.resize(series);
}

bool ForecastMeasurement::measures_forecasts() const {
  return plan_.full || !model_.options().draws_paths();
}

int64_t ForecastMeasurement::window_batches() const {
  return sample_ ? (sample_->count() + plan_.lanes - 1) / plan_.lanes : 0;
}

ForecastMetrics ForecastMeasurement::NewMetrics(int forecast, bool original) const {
  return ForecastMetrics(model_.options().channels,
                         forecast == kModel ? levels_ : std::vector<double>(),
                         original ? shifts_ : std::vector<double>());
}

size_t ForecastMeasurement::sums() const {
  if (!measures_forecasts()) return kTargets + 1;
  if (!plan_.full) return kValues + 1;
  return kTargets + 1 +
         2 * (NewMetrics(kModel, false).sums().size() +
              (kForecasts - 1) * NewMetrics(kPersistence, false).sums().size());
}

void ForecastMeasurement::StreamBatch(int64_t batch, worker::RecurrentState& state,
                                      std::span<double> sums) {
  StartSeries(*stream_, plan_.range, batch, state);
  ReadStream(*stream_, plan_.range, batch, plan_.time_steps, batch_);
  const worker::ForecastSum sum = model_.Evaluate(batch_.view(), &state);
  sums[kLoss] = sum.loss;
  sums[kTargets] = static_cast<double>(sum.targets);
}

std::vector<int64_t> ForecastMeasurement::WindowsOfBatch(int64_t batch) const {
  std::vector<int64_t> numbers;
  for (int64_t lane = plan_.range.begin; lane < plan_.range.end; ++lane) {
    const int64_t place = batch * plan_.lanes + lane;
    if (place < sample_->count()) numbers.push_back(sample_->At(place));
  }
  return numbers;
}

void ForecastMeasurement::Batch(int64_t batch, worker::RecurrentState& state,
                                std::span<double> sums) {
  if (batch < stream_batches()) return StreamBatch(batch, state, sums);
  WindowBatch(batch - stream_batches(), sums);
}

void ForecastMeasurement::WindowBatch(int64_t batch, std::span<double> sums) {
  const auto most = static_cast<size_t>(WindowsAtATime(model_.options(), plan_.samples));
  const std::vector<int64_t> numbers = WindowsOfBatch(batch);
  for (size_t begin = 0; begin < numbers.size(); begin += most) {
    MeasureWindows(std::span(numbers).subspan(begin, std::min(most, numbers.size() - begin)), sums);
  }
}

// Adds to `sums`.
void ForecastMeasurement::MeasureWindows(std::span<const int64_t> numbers, std::span<double> sums) {
  const worker::ForecasterOptions& options = model_.options();
  std::vector<Window> windows;
  for (const int64_t number : numbers) windows.push_back(windows_.At(number));
  batch_.ReadWindows(windows, options.history, options.horizon);
  if (!is_stream()) {
    const worker::ForecastSum sum = model_.Evaluate(batch_.view(), nullptr);
    sums[kLoss] += sum.loss;
    sums[kTargets] += static_cast<double>(sum.targets);
  }
  if (!measures_forecasts()) return;
  worker::ForecastRequest request;
  if (plan_.full) request.levels = levels_;
  request.paths = plan_.samples;
  request.seed = plan_.seed;
  request.item_numbers = numbers.data();
  worker::ForecastOutput output;
  ForecastWindowsRead(model_, batch_, request, output);
  if (plan_.full) {
    AddMetrics(windows, output, sums);
  } else {
    AddErrors(output, sums);
  }
}

void ForecastMeasurement::AddErrors(const worker::ForecastOutput& output,
                                    std::span<double> sums) const {
  const auto truth = batch_.truth();
  for (size_t i = 0; i < truth.size(); ++i) {
    if (std::isnan(truth[i])) continue;
    const double error = static_cast<double>(output.mean[i]) - truth[i];
    sums[kSquares] += error * error;
    sums[kAbsolutes] += std::abs(error);
    sums[kValues] += 1.0;
  }
}

// MASE's denominators of a series, in scaled values: over its training rows, read in pieces.
std::span<const double> ForecastMeasurement::NaiveErrors(uint64_t series) {
  constexpr int64_t kRows = 4096;
  std::vector<double>& errors = naive_errors_[series];
  if (!errors.empty()) return errors;
  const int64_t channels = data_.channels();
  SeasonalNaiveError naive(channels, plan_.season);
  const io::Series& one = data_.dataset().series(series);
  SeriesData::Batch rows(data_);
  for (uint64_t begin = one.begin; begin < one.train_end; begin += kRows) {
    const auto count = static_cast<int64_t>(std::min<uint64_t>(kRows, one.train_end - begin));
    const Window window = {series, begin};
    rows.ReadWindows({&window, 1}, 0, count);
    naive.Add(rows.truth());
  }
  for (int64_t c = 0; c < channels; ++c) errors.push_back(naive.Mean(c));
  return errors;
}

void ForecastMeasurement::AddMetrics(const std::vector<Window>& windows,
                                     const worker::ForecastOutput& output, std::span<double> sums) {
  const worker::ForecasterOptions& options = model_.options();
  const auto columns = std::ssize(windows) * options.channels;
  std::vector<double> means, deviations, denominators;
  for (const Window& window : windows) {
    const auto add = [](std::vector<double>& to, std::span<const double> from) {
      to.insert(to.end(), from.begin(), from.end());
    };
    add(means, data_.means(window.series));
    add(deviations, data_.deviations(window.series));
    add(denominators, NaiveErrors(window.series));
  }
  std::vector<float> forecasts[kForecasts];
  forecasts[kModel] = output.mean;
  for (auto& forecast : forecasts) forecast.resize(output.mean.size());
  PersistenceForecast(batch_.history(), columns, forecasts[kPersistence]);
  past_.ReadWindows(windows, std::max(options.history, plan_.season), options.horizon);
  SeasonalNaiveForecast(past_.history(), columns, plan_.season, forecasts[kSeasonalNaive]);
  size_t at = kTargets + 1;
  for (int forecast = 0; forecast < kForecasts; ++forecast) {
    ForecastWindows one;
    one.horizon = options.horizon;
    one.items = std::ssize(windows);
    one.channels = options.channels;
    one.truth = batch_.truth();
    one.mean = forecasts[forecast];
    if (forecast == kModel) one.quantiles = output.quantiles;
    one.mase_denominators = denominators;
    for (const bool original : {false, true}) {
      ForecastMetrics metrics = NewMetrics(forecast, original);
      metrics.Add(one, original ? UnitMap{means, deviations} : UnitMap{});
      for (const double sum : metrics.sums()) sums[at++] += sum;
    }
  }
}

std::vector<NamedMetric> ForecastMeasurement::MetricsOf(std::span<const double> sums, int forecast,
                                                        bool original) const {
  size_t at = kTargets + 1;
  for (int f = 0; f < kForecasts; ++f) {
    for (const bool o : {false, true}) {
      const ForecastMetrics metrics = NewMetrics(f, o);
      if (f == forecast && o == original)
        return metrics.Finish(sums.subspan(at, metrics.sums().size()));
      at += metrics.sums().size();
    }
  }
  return {};
}

std::vector<double> ForecastMeasurement::Finish(std::span<const double> sums) const {
  const double loss = sums[kTargets] > 0.0 ? sums[kLoss] / sums[kTargets]
                                           : std::numeric_limits<double>::quiet_NaN();
  if (!measures_forecasts() || plan_.full) return {loss};
  return {loss, sums[kSquares] / sums[kValues], sums[kAbsolutes] / sums[kValues]};
}

nlohmann::ordered_json ForecastMeasurement::Json(std::span<const double> sums) const {
  nlohmann::ordered_json json = {{"unit", "values"},
                                 {"windows", sample_ ? sample_->count() : 0},
                                 {"values", static_cast<int64_t>(sums[kTargets])},
                                 {"loss", Finish(sums)[0]}};
  json["season"] = plan_.season;
  const auto both = [&](int forecast) {
    return nlohmann::ordered_json{{"scaled", JsonOf(MetricsOf(sums, forecast, false))},
                                  {"original", JsonOf(MetricsOf(sums, forecast, true))}};
  };
  json["metrics"] = both(kModel);
  for (const int naive : {kPersistence, kSeasonalNaive}) {
    json["baselines"][kForecastNames[naive]] = both(naive);
  }
  return json;
}

// A table: a line for each forecast and unit.
std::string ForecastMeasurement::Sentence(std::span<const double> sums) const {
  std::string text =
      fmt::format("{} windows, loss {:.6f}", sample_ ? sample_->count() : 0, Finish(sums)[0]);
  for (int forecast = 0; forecast < kForecasts; ++forecast) {
    for (const bool original : {false, true}) {
      text += fmt::format("\n  {:<15}{:<9}", kForecastNames[forecast],
                          original ? "original" : "scaled");
      for (const NamedMetric& metric : MetricsOf(sums, forecast, original)) {
        if (metric.name == "count") continue;
        text += fmt::format("  {} {:.4g}", metric.name, metric.value);
      }
    }
  }
  return text;
}

}  // namespace lockstep::trainer
