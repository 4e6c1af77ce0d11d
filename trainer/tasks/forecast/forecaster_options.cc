#include "trainer/tasks/forecast/forecaster_options.h"

#include <charconv>
#include <sstream>
#include <stdexcept>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "trainer/exit_status.h"
#include "trainer/tasks/forecast/baselines.h"
#include "trainer/tasks/model_options.h"

namespace lockstep::trainer {
namespace {

worker::Decoding DecodingOf(proto::Decoding decoding) {
  switch (decoding) {
    case proto::DIRECT:
      return worker::Decoding::kDirect;
    case proto::AUTOREGRESSIVE:
      return worker::Decoding::kAutoregressive;
    case proto::SEGMENTS:
      return worker::Decoding::kSegments;
    case proto::STREAM:
      return worker::Decoding::kStream;
  }
  throw std::logic_error("a decoding of the schema has no implementation");
}

worker::Normalization NormalizationOf(proto::WindowNormalization normalization) {
  switch (normalization) {
    case proto::NONE:
      return worker::Normalization::kNone;
    case proto::LAST:
      return worker::Normalization::kLast;
    case proto::MEAN:
      return worker::Normalization::kMean;
    case proto::MEAN_AND_DEVIATION:
      return worker::Normalization::kMeanAndDeviation;
  }
  throw std::logic_error("a normalization of the schema has no implementation");
}

std::vector<double> LevelsOf(const std::string& text) {
  std::vector<double> levels;
  std::istringstream list(text);
  for (std::string word; std::getline(list, word, ',');) {
    std::erase(word, ' ');
    double level = 0.0;
    const auto [end, error] = std::from_chars(word.data(), word.data() + word.size(), level);
    const bool rises = levels.empty() || level > levels.back();
    if (error != std::errc() || end != word.data() + word.size() || !(level > 0.0 && level < 1.0) ||
        !rises) {
      throw UsageError(
          fmt::format("task.forecast.quantiles.levels is \"{}\"; allowed: rising numbers in (0, 1) "
                      "with commas between, such as 0.1,0.5,0.9",
                      text));
    }
    levels.push_back(level);
  }
  return levels;
}

worker::ForecastLoss LossOf(const proto::Forecast& config) {
  using Kind = worker::ForecastLoss::Kind;
  worker::ForecastLoss loss;
  switch (config.loss_case()) {
    case proto::Forecast::kMse:
    case proto::Forecast::LOSS_NOT_SET:
      loss.kind = Kind::kMse;
      return loss;
    case proto::Forecast::kMae:
      loss.kind = Kind::kMae;
      return loss;
    case proto::Forecast::kHuber:
      loss.kind = Kind::kHuber;
      loss.delta = config.huber().delta();
      return loss;
    case proto::Forecast::kGaussian:
      loss.kind = Kind::kGaussian;
      return loss;
    case proto::Forecast::kStudentT:
      loss.kind = Kind::kStudentT;
      return loss;
    case proto::Forecast::kNegativeBinomial:
      loss.kind = Kind::kNegativeBinomial;
      return loss;
    case proto::Forecast::kQuantiles:
      loss.kind = Kind::kQuantiles;
      loss.levels = LevelsOf(config.quantiles().levels());
      return loss;
  }
  throw std::logic_error("a loss of the schema has no implementation");
}

}  // namespace

worker::ForecasterOptions ForecasterOptions(const proto::RunConfig& config,
                                            const SeriesData& data) {
  const proto::Forecast& forecast = config.task().forecast();
  worker::ForecasterOptions options;
  options.decoding = DecodingOf(forecast.decoding());
  options.cell = CellOf(config.model().cell());
  options.layers = config.model().layers();
  options.hidden_size = config.model().hidden_size();
  options.dropout = config.model().dropout();
  options.history = forecast.history();
  options.horizon = forecast.horizon();
  if (forecast.decoding() == proto::SEGMENTS) options.segment_length = forecast.segment_length();
  options.channels_together = forecast.channels() == proto::TOGETHER;
  if (!options.channels_together && data.channels() > 1) {
    options.channel_embedding = forecast.channel_embedding();
  }
  options.normalization = NormalizationOf(forecast.normalization());
  options.loss = LossOf(forecast);
  data.FillInputs(options);
  if (options.loss.kind == worker::ForecastLoss::Kind::kNegativeBinomial &&
      data.dataset().description().scaled) {
    throw UsageError(fmt::format(
        "task.forecast.negative_binomial needs counts, but {} is scaled. Import it with --scale "
        "none.",
        data.dataset().path().string()));
  }
  const std::string reason = worker::WhyImpossible(options);
  if (!reason.empty()) throw UsageError(fmt::format("task.forecast: {}", reason));
  return options;
}

int64_t SeasonOf(const proto::Forecast& config, const SeriesData& data) {
  if (config.season() > 0) return config.season();
  const io::Frequency& frequency = data.dataset().description().frequency;
  return DefaultSeason(frequency.seconds, frequency.months);
}

}  // namespace lockstep::trainer
