#include "trainer/tasks/forecast/forecaster_checkpoint.h"

#include <fmt/format.h>

#include "trainer/exit_status.h"
#include "trainer/run/checkpoint_contents.h"
#include "trainer/tasks/forecast/forecaster_options.h"
#include "trainer/tasks/model_options.h"

namespace lockstep::trainer {

ForecasterCheckpoint::ForecasterCheckpoint(const std::filesystem::path& path) : reader_(path) {
  const io::CheckpointHeader& header = reader_.header();
  config_ = proto::ParseRunConfig(header.configuration, origin());
  if (!config_.task().has_forecast()) {
    throw UsageError(fmt::format(
        "{}: is not of a forecaster. A language model writes with `lockstep sample`.", origin()));
  }
  UsePrecision(config_.model());
  facts_ = nlohmann::ordered_json::parse(header.facts, nullptr, false);
  if (facts_.is_discarded()) {
    throw UsageError(fmt::format("{}: does not say what its model was trained on.", origin()));
  }
}

std::unique_ptr<worker::Forecaster> ForecasterCheckpoint::Load(const SeriesData& data) const {
  auto model = std::make_unique<worker::Forecaster>(ForecasterOptions(config_, data),
                                                    worker::Pass::kForward);
  LoadParameters(reader_, model->parameters());
  return model;
}

}  // namespace lockstep::trainer
