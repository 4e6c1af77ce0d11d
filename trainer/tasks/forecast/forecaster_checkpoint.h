#ifndef LOCKSTEP_TRAINER_TASKS_FORECAST_FORECASTER_CHECKPOINT_H_
#define LOCKSTEP_TRAINER_TASKS_FORECAST_FORECASTER_CHECKPOINT_H_

#include <filesystem>
#include <memory>
#include <string>

#include <nlohmann/json.hpp>

#include "io/checkpoints/checkpoint.h"
#include "proto/run_config.h"
#include "trainer/tasks/forecast/series_data.h"
#include "worker/models/forecaster.h"

namespace lockstep::trainer {

/// A forecaster's checkpoint, open to predict with. Not collective.
class ForecasterCheckpoint {
 public:
  /// Reads and verifies it. UsageError where it is of another task; io's and proto's errors.
  explicit ForecasterCheckpoint(const std::filesystem::path& path);

  const proto::RunConfig& config() const { return config_; }
  const proto::Forecast& forecast() const { return config_.task().forecast(); }
  /// As SeriesData::Facts has them.
  const nlohmann::ordered_json& facts() const { return facts_; }
  std::string origin() const { return reader_.path().string(); }

  /// The model, without a gradient, for data that have adopted the facts. UsageError where these
  /// are not the data for it.
  std::unique_ptr<worker::Forecaster> Load(const SeriesData& data) const;

 private:
  const io::CheckpointReader reader_;
  proto::RunConfig config_;
  nlohmann::ordered_json facts_;
};

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_FORECAST_FORECASTER_CHECKPOINT_H_
