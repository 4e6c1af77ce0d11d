#include "trainer/tasks/forecast/forecast_task.h"

#include <algorithm>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "trainer/exit_status.h"
#include "trainer/tasks/forecast/forecast_measurement.h"
#include "trainer/tasks/forecast/forecaster_options.h"

namespace lockstep::trainer {

ForecastTask::ForecastTask(const proto::RunConfig& config, const RankPlace& place)
    : config_(config),
      data_(config.data().path(), config.task().forecast()),
      options_(ForecasterOptions(config, data_)),
      range_(LanesOfRank(config.data().lanes(), place.rank, place.ranks)),
      batch_(data_) {}

void ForecastTask::PrepareTraining() {
  const std::string& split = config_.data().split();
  const io::SeriesDataset& dataset = data_.dataset();
  if (options_.is_stream()) {
    stream_.emplace(dataset, split, config_.data().lanes(), config_.data().time_steps());
    if (stream_->predictions() == 0) {
      throw UsageError(
          fmt::format("{}: split \"{}\" has no row to predict. Import more rows, or "
                      "with other shares.",
                      config_.data().path(), split));
    }
    return;
  }
  windows_.emplace(dataset, split, options_.history, options_.horizon,
                   config_.task().forecast().stride());
  if (windows_->count() > 0) return;
  uint64_t most = 0;
  for (uint64_t i = 0; i < dataset.series_count(); ++i) {
    const RowRange rows = RowsOfSplit(dataset.series(i), split);
    most = std::max(most, rows.end - rows.begin);
  }
  throw UsageError(
      fmt::format("{}: split \"{}\" has no window: its longest series has {} rows, and a window "
                  "takes {} (task.forecast.history {} + horizon {}). Lower these, or import more "
                  "rows.",
                  config_.data().path(), split, most, options_.history + options_.horizon,
                  options_.history, options_.horizon));
}

int64_t ForecastTask::batches() const {
  if (options_.is_stream()) return stream_->batches();
  return (windows_->count() + config_.data().lanes() - 1) / config_.data().lanes();
}

std::string ForecastTask::DescribeData() const {
  std::string text =
      fmt::format("{} series of {} channels, ", data_.dataset().series_count(), data_.channels());
  if (options_.is_stream()) {
    return text + fmt::format("{} rows to predict in training", stream_->predictions());
  }
  text += fmt::format("{} windows to train on", windows_->count());
  if (windows_->series_without() > 0) {
    text += fmt::format(" ({} series are too short for a window of {} rows)",
                        windows_->series_without(), options_.history + options_.horizon);
  }
  return text;
}

std::string ForecastTask::DescribeModel() const {
  const proto::Forecast& forecast = config_.task().forecast();
  return fmt::format("{}, {} rows from {}", proto::Decoding_Name(forecast.decoding()),
                     options_.horizon, options_.history);
}

ModelSize ForecastTask::Size() const {
  return SizeOf(worker::Forecaster(options_, worker::Pass::kNone), config_.data().time_steps(),
                range_.count());
}

void ForecastTask::Allocate(worker::Pass pass) {
  model_ = std::make_unique<worker::Forecaster>(options_, pass);
}

void ForecastTask::ReadWindows(const BatchPlace& place) {
  const ItemOrder order(windows_->count(), place.seed, place.epoch);
  std::vector<Window> windows;
  for (int64_t lane = range_.begin; lane < range_.end; ++lane) {
    const int64_t item = place.batch * config_.data().lanes() + lane;
    if (item < windows_->count()) windows.push_back(windows_->At(order.At(item)));
  }
  empty_ = windows.empty();
  batch_.ReadWindows(windows, options_.history, options_.horizon);
}

double ForecastTask::Read(const BatchPlace& place) {
  if (!options_.is_stream()) {
    ReadWindows(place);
  } else {
    ReadStream(*stream_, range_, place.batch, config_.data().time_steps(), batch_);
  }
  if (options_.loss.kind == worker::ForecastLoss::Kind::kNegativeBinomial) RequireCounts();
  return static_cast<double>(batch_.targets());
}

void ForecastTask::RequireCounts() const {
  const auto wrong = std::ranges::find_if(batch_.truth(), [](float value) {
    return value < 0.0f || value != std::floor(value);  // a NaN is neither
  });
  if (wrong == batch_.truth().end()) return;
  throw UsageError(
      fmt::format("{}: holds the value {}, but task.forecast.negative_binomial takes counts: whole "
                  "numbers from 0 up. Choose another loss.",
                  data_.dataset().path().string(), *wrong));
}

double ForecastTask::Forward(const BatchPlace& place, worker::RecurrentState& state) {
  if (empty_) return 0.0;
  if (options_.is_stream()) StartSeries(*stream_, range_, place.batch, state);
  const worker::DropoutSite site = {place.seed, static_cast<uint64_t>(place.total_batches), 0,
                                    range_.begin};
  return model_->Forward(batch_.view(), options_.is_stream() ? &state : nullptr, site).loss;
}

void ForecastTask::Backward(const worker::GradientReady& ready) {
  if (!empty_) model_->Backward(ready);
}

// Models that draw paths are measured by their loss in training: a forecast costs far more.
const std::vector<MetricFacts>& ForecastTask::metrics() const {
  static const std::vector<MetricFacts> kPoints = {{"loss"}, {"mse"}, {"mae"}};
  static const std::vector<MetricFacts> kPaths = {{"loss"}};
  return options_.draws_paths() ? kPaths : kPoints;
}

bool ForecastTask::CanMeasure(const std::string& split) const {
  if (options_.is_stream()) {
    return StreamLanes(data_.dataset(), split, 1, config_.data().time_steps()).predictions() > 0;
  }
  return Windows(data_.dataset(), split, options_.history, options_.horizon).count() > 0;
}

std::unique_ptr<Measurement> ForecastTask::Measure(const std::string& split, int64_t most,
                                                   bool full) {
  const proto::Forecast& forecast = config_.task().forecast();
  ForecastMeasurementPlan plan;
  plan.lanes = config_.data().lanes();
  plan.range = range_;
  plan.time_steps = config_.data().time_steps();
  plan.split = split;
  plan.most = most;
  plan.full = full;
  plan.season = SeasonOf(forecast, data_);
  plan.samples = forecast.samples();
  plan.seed = config_.training().seed();
  return std::make_unique<ForecastMeasurement>(*model_, data_, plan);
}

// Scaled values have a variance of about 1; likelihoods may be of any sign.
double ForecastTask::HopelessLoss(double first_loss) const {
  const double first = std::max(first_loss, 1.0);
  return options_.loss.is_distribution() ? 2.0 * first + 10.0 : 2.0 * first + 1.0;
}

void ForecastTask::Store(io::CheckpointHeader& header) const {
  if (facts_.empty()) facts_ = data_.Facts().dump();
  header.facts = facts_;
}

void ForecastTask::Adopt(const io::CheckpointHeader& header, const std::string& origin) {
  if (header.facts.empty()) {
    throw UsageError(fmt::format("{}: is not of a forecaster.", origin));
  }
  data_.Adopt(nlohmann::ordered_json::parse(header.facts), origin);
  facts_.clear();
  options_ = ForecasterOptions(config_, data_);  // categories and masks are those of the checkpoint
}

}  // namespace lockstep::trainer
