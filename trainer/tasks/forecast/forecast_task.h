#ifndef LOCKSTEP_TRAINER_TASKS_FORECAST_FORECAST_TASK_H_
#define LOCKSTEP_TRAINER_TASKS_FORECAST_FORECAST_TASK_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "trainer/data/items.h"
#include "trainer/tasks/forecast/series_data.h"
#include "trainer/tasks/forecast/stream_lanes.h"
#include "trainer/tasks/forecast/windows.h"
#include "trainer/tasks/task.h"
#include "worker/models/forecaster.h"

namespace lockstep::trainer {

/// A forecaster of time series: windows in random order, or lanes with carried state (STREAM). What
/// it counts are values: a number of one channel at one time.
class ForecastTask : public Task {
 public:
  ForecastTask(const proto::RunConfig& config, const RankPlace& place);

  const std::filesystem::path& data_path() const override { return data_.dataset().path(); }
  const std::string& fingerprint() const override { return data_.dataset().fingerprint(); }
  void PrepareTraining() override;
  int64_t batches() const override;
  const char* unit() const override { return "values"; }
  std::string DescribeData() const override;

  std::string DescribeModel() const override;
  ModelSize Size() const override;
  void Allocate(worker::Pass pass) override;
  worker::Model& model() const override { return *model_; }
  double Read(const BatchPlace& place) override;
  double Forward(const BatchPlace& place, worker::RecurrentState& state) override;
  void Backward(const worker::GradientReady& ready) override;

  const std::vector<MetricFacts>& metrics() const override;
  bool CanMeasure(const std::string& split) const override;
  std::unique_ptr<Measurement> Measure(const std::string& split, int64_t most, bool full) override;
  std::string DescribeLoss(double loss) const override { return ""; }
  double HopelessLoss(double first_loss) const override;

  const char* prediction_command() const override { return "forecast"; }
  void Store(io::CheckpointHeader& header) const override;
  void Adopt(const io::CheckpointHeader& header, const std::string& origin) override;

 private:
  void ReadWindows(const BatchPlace& place);
  void RequireCounts() const;

  const proto::RunConfig config_;
  SeriesData data_;
  worker::ForecasterOptions options_;
  const LaneRange range_;
  std::optional<Windows> windows_;     // of the split to train on
  std::optional<StreamLanes> stream_;  // likewise; one of the two
  std::unique_ptr<worker::Forecaster> model_;
  SeriesData::Batch batch_;
  mutable std::string facts_;  // as the next checkpoint has them; empty: not written down yet
  bool empty_ = false;         // this rank has no window of the batch
};

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_FORECAST_FORECAST_TASK_H_
