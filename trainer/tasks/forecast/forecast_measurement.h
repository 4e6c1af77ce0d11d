#ifndef LOCKSTEP_TRAINER_TASKS_FORECAST_FORECAST_MEASUREMENT_H_
#define LOCKSTEP_TRAINER_TASKS_FORECAST_FORECAST_MEASUREMENT_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "trainer/data/items.h"
#include "trainer/data/lane_range.h"
#include "trainer/tasks/forecast/forecast_metrics.h"
#include "trainer/tasks/forecast/series_data.h"
#include "trainer/tasks/forecast/stream_lanes.h"
#include "trainer/tasks/forecast/windows.h"
#include "trainer/tasks/task.h"
#include "worker/models/forecaster.h"

namespace lockstep::trainer {

/// What measures a forecaster; the same on every rank but for `range`.
struct ForecastMeasurementPlan {
  int64_t lanes = 0;  ///< of the job: windows of a batch
  LaneRange range;    ///< of this rank
  int64_t time_steps = 0;
  std::string split;
  int64_t most = 0;  ///< values, about; 0: all
  bool full = false;
  int64_t season = 1;
  int64_t samples = 100;
  uint64_t seed = 1;
};

/// Measures a forecaster on the windows of a split: its loss, and errors of its forecasts; with
/// `full` all of ForecastMetrics in scaled values and in the original unit, beside persistence and
/// the seasonal naive forecast on the very same windows. The loss of a STREAM model is measured on
/// lanes first.
class ForecastMeasurement : public Measurement {
 public:
  /// `model` and `data` must outlive this.
  ForecastMeasurement(worker::Forecaster& model, const SeriesData& data,
                      const ForecastMeasurementPlan& plan);

  int64_t batches() const override { return stream_batches() + window_batches(); }
  size_t sums() const override;
  void Batch(int64_t batch, worker::RecurrentState& state, std::span<double> sums) override;
  /// loss, mse, mae; where only the loss is measured that alone.
  std::vector<double> Finish(std::span<const double> sums) const override;
  double Weight(std::span<const double> sums) const override { return sums[1]; }
  nlohmann::ordered_json Json(std::span<const double> sums) const override;
  std::string Sentence(std::span<const double> sums) const override;

 private:
  enum Forecast { kModel, kPersistence, kSeasonalNaive };
  static constexpr int kForecasts = 3;

  bool is_stream() const { return model_.options().is_stream(); }
  /// Of models that draw paths, forecasts cost far more than the loss.
  bool measures_forecasts() const;
  int64_t stream_batches() const { return stream_ ? stream_->batches() : 0; }
  int64_t window_batches() const;
  std::vector<int64_t> WindowsOfBatch(int64_t batch) const;
  void StreamBatch(int64_t batch, worker::RecurrentState& state, std::span<double> sums);
  void WindowBatch(int64_t batch, std::span<double> sums);
  void MeasureWindows(std::span<const int64_t> numbers, std::span<double> sums);
  void AddErrors(const worker::ForecastOutput& output, std::span<double> sums) const;
  void AddMetrics(const std::vector<Window>& windows, const worker::ForecastOutput& output,
                  std::span<double> sums);
  std::span<const double> NaiveErrors(uint64_t series);
  ForecastMetrics NewMetrics(int forecast, bool original) const;
  std::vector<NamedMetric> MetricsOf(std::span<const double> sums, int forecast,
                                     bool original) const;

  worker::Forecaster& model_;
  const SeriesData& data_;
  const ForecastMeasurementPlan plan_;
  std::vector<double> levels_;  // of the quantiles that are measured
  std::vector<double> shifts_;  // [C], mean of the channels in the original unit
  std::optional<StreamLanes> stream_;
  Windows windows_;
  std::optional<ItemSample> sample_;  // of the windows; none where there are none to measure
  SeriesData::Batch batch_;
  SeriesData::Batch past_;  // for the baselines: a season of history at least
  std::vector<std::vector<double>> naive_errors_;  // of each series, [C]; empty: not known yet
};

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_FORECAST_FORECAST_MEASUREMENT_H_
