#include "trainer/tasks/forecast/forecast_prediction.h"

#include <algorithm>
#include <stdexcept>
#include <string>

#include "trainer/tasks/forecast/forecast_starts.h"

namespace lockstep::trainer {
namespace {

constexpr int64_t kMostWindows = 64;
constexpr int64_t kMostPathValues = int64_t{1} << 26;  // 256 MB

std::vector<double> LevelsOf(const worker::ForecastLoss& loss) {
  if (loss.kind == worker::ForecastLoss::Kind::kQuantiles) return loss.levels;
  if (loss.is_distribution()) return {0.1, 0.25, 0.5, 0.75, 0.9};
  return {};
}

// What names the paths of a window: its series' id and the time where it starts (the row's number
// where there is none), so that it draws the same ones out of any file and among any others.
// FNV-1a (Fowler, Noll, Vo), 60 bits.
int64_t ItemNumber(const io::SeriesDataset& dataset, const Window& window) {
  const auto row = static_cast<int64_t>(window.first_target);
  uint64_t hash = 0xcbf29ce484222325;
  for (const char c :
       dataset.series(window.series).id + "\n" + RowText(dataset, window.series, row)) {
    hash = (hash ^ static_cast<unsigned char>(c)) * 0x100000001b3;
  }
  return static_cast<int64_t>(hash >> 4);
}

}  // namespace

int64_t WindowsAtATime(const worker::ForecasterOptions& options, int64_t samples) {
  const int64_t paths = options.draws_paths() ? samples : 1;
  return std::max<int64_t>(1, kMostPathValues / (paths * options.horizon * options.channels));
}

void ForecastWindowsRead(worker::Forecaster& model, const SeriesData::Batch& windows,
                         const worker::ForecastRequest& request, worker::ForecastOutput& output) {
  worker::ForecastBatch view = windows.view();
  if (!model.options().is_stream()) return model.Forecast(view, nullptr, request, output);
  view.time_steps = model.options().history;
  const worker::RecurrentState zero = model.ZeroState(view.items);
  model.Forecast(view, &zero, request, output);
}

ForecastPredictor::ForecastPredictor(worker::Forecaster& model, const SeriesData& data,
                                     int64_t samples, uint64_t seed)
    : model_(model),
      data_(data),
      samples_(samples),
      seed_(seed),
      levels_(LevelsOf(model.options().loss)),
      batch_(data) {
  batch_windows_ = std::min(WindowsAtATime(model.options(), samples), kMostWindows);
}

void ForecastPredictor::PredictBatch(std::span<const Window> windows) {
  const worker::ForecasterOptions& options = model_.options();
  batch_.ReadWindows(windows, options.history, options.horizon);
  std::vector<int64_t> numbers;
  for (const Window& window : windows) numbers.push_back(ItemNumber(data_.dataset(), window));
  worker::ForecastRequest request;
  request.levels = levels_;
  request.paths = samples_;
  request.seed = seed_;
  request.item_numbers = numbers.data();
  ForecastWindowsRead(model_, batch_, request, output_);
  if (output_.quantiles.size() != levels_.size() * output_.mean.size()) {
    throw std::logic_error("a forecast lacks quantiles that were asked for");
  }
}

// Item `item` of the batch's output into predicted_.
void ForecastPredictor::Unscale(const Window& window, int64_t item, int64_t items) {
  const int64_t C = data_.channels(), Q = std::ssize(levels_), T = model_.options().horizon;
  const auto means = data_.means(window.series), deviations = data_.deviations(window.series);
  predicted_.window = window;
  predicted_.mean.resize(T * C);
  predicted_.quantiles.resize(T * C * Q);
  for (int64_t t = 0; t < T; ++t) {
    for (int64_t c = 0; c < C; ++c) {
      const int64_t from = (t * items + item) * C + c, to = t * C + c;
      predicted_.mean[to] = output_.mean[from] * deviations[c] + means[c];
      for (int64_t q = 0; q < Q; ++q) {
        const float scaled = output_.quantiles[q * T * items * C + from];
        predicted_.quantiles[to * Q + q] = scaled * deviations[c] + means[c];
      }
    }
  }
}

void ForecastPredictor::Predict(std::span<const Window> windows,
                                const std::function<void(const PredictedWindow&)>& take) {
  while (!windows.empty()) {
    const auto batch = windows.first(std::min(windows.size(), static_cast<size_t>(batch_windows_)));
    PredictBatch(batch);
    for (int64_t b = 0; b < std::ssize(batch); ++b) {
      Unscale(batch[b], b, std::ssize(batch));
      take(predicted_);
    }
    windows = windows.subspan(batch.size());
  }
}

}  // namespace lockstep::trainer
