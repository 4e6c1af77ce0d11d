#ifndef LOCKSTEP_TRAINER_TASKS_FORECAST_FORECAST_PREDICTION_H_
#define LOCKSTEP_TRAINER_TASKS_FORECAST_FORECAST_PREDICTION_H_

#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "trainer/tasks/forecast/series_data.h"
#include "trainer/tasks/forecast/windows.h"
#include "worker/models/forecaster.h"

namespace lockstep::trainer {

/// How many windows may be forecast at a time so that their paths stay below 256 MB; 1 at least.
int64_t WindowsAtATime(const worker::ForecasterOptions& options, int64_t samples);

/// Forecasts the windows that were read last, in scaled values, each from a zero state.
void ForecastWindowsRead(worker::Forecaster& model, const SeriesData::Batch& windows,
                         const worker::ForecastRequest& request, worker::ForecastOutput& output);

/// The forecast of one window, in the original unit.
struct PredictedWindow {
  Window window;
  std::vector<double> mean;       ///< [T_f, C]
  std::vector<double> quantiles;  ///< [T_f, C, Q], of the predictor's levels
};

/// Lets a forecaster predict windows, a batch at a time, so that memory is bounded however many
/// there are.
class ForecastPredictor {
 public:
  /// `samples`: paths that decodings with paths draw for a window. The same seed draws the same
  /// paths for a window, whatever else is predicted and whichever file it is read from. `model` and
  /// `data` must outlive this.
  ForecastPredictor(worker::Forecaster& model, const SeriesData& data, int64_t samples,
                    uint64_t seed);

  /// Of the quantiles, rising: those that the model was trained on; 0.1, 0.25, 0.5, 0.75, 0.9 of a
  /// distribution; none of models that give points.
  const std::vector<double>& levels() const { return levels_; }
  /// Windows of a batch.
  int64_t batch_windows() const { return batch_windows_; }

  /// Predicts windows in their order; `take` borrows each.
  void Predict(std::span<const Window> windows,
               const std::function<void(const PredictedWindow&)>& take);

 private:
  void PredictBatch(std::span<const Window> windows);
  void Unscale(const Window& window, int64_t item, int64_t items);

  worker::Forecaster& model_;
  const SeriesData& data_;
  const int64_t samples_;
  const uint64_t seed_;
  std::vector<double> levels_;
  int64_t batch_windows_ = 1;
  SeriesData::Batch batch_;
  worker::ForecastOutput output_;
  PredictedWindow predicted_;
};

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_FORECAST_FORECAST_PREDICTION_H_
