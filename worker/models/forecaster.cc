#include "worker/models/forecaster.h"

#include <algorithm>
#include <stdexcept>

#include <fmt/format.h>

#include "worker/models/forecast_network.h"
#include "worker/models/forecast_paths.h"
#include "worker/models/forecast_window.h"

namespace lockstep::worker {
namespace {

std::unique_ptr<ForecastNetwork> MakeNetwork(const ForecasterOptions& options,
                                             Parameters& parameters) {
  switch (options.decoding) {
    case Decoding::kDirect:
      return MakeDirectNetwork(options, parameters);
    case Decoding::kSegments:
      return MakeSegmentNetwork(options, parameters);
    case Decoding::kAutoregressive:
    case Decoding::kStream:
      return MakeStepNetwork(options, parameters);
  }
  throw std::logic_error("a decoding that is not implemented");
}

std::string WhyImpossibleSegments(const ForecasterOptions& o) {
  if (o.segment_length < 1) return "decoding by segments needs a segment_length of at least 1";
  for (const auto& [name, steps] : {std::pair{"history", o.history}, {"horizon", o.horizon}}) {
    if (steps % o.segment_length == 0) continue;
    return fmt::format("{} {} is not a multiple of segment_length {}", name, steps,
                       o.segment_length);
  }
  if (o.channel_embedding >= o.hidden_size) {
    return fmt::format(
        "channel_embedding {} leaves nothing of hidden_size {} for the position of a segment",
        o.channel_embedding, o.hidden_size);
  }
  return "";
}

std::string WhyImpossibleNormalization(const ForecasterOptions& o) {
  if (o.is_stream() && o.normalization != Normalization::kNone) {
    return "decoding STREAM has no windows, so normalization must be NONE";
  }
  const bool shifts = o.normalization == Normalization::kLast ||
                      o.normalization == Normalization::kMeanAndDeviation;
  if (o.loss.kind == ForecastLoss::Kind::kNegativeBinomial && shifts) {
    return "a negative binomial loss is of counts, which are not shifted: normalization none or "
           "mean";
  }
  return "";
}

}  // namespace

std::string WhyImpossible(const ForecasterOptions& o) {
  const std::pair<const char*, int64_t> positive[] = {{"layers", o.layers},
                                                      {"hidden_size", o.hidden_size},
                                                      {"history", o.history},
                                                      {"horizon", o.horizon},
                                                      {"channels", o.channels}};
  for (const auto& [name, value] : positive) {
    if (value < 1) return fmt::format("{} {} must be at least 1", name, value);
  }
  if (o.channels_together && o.channel_embedding > 0) {
    return "a channel_embedding is for channels that are rows of their own";
  }
  const bool categories = !o.known_categories.empty() || !o.static_categories.empty();
  if (categories && o.category_embedding < 1) return "categories need a category_embedding";
  if (o.decoding == Decoding::kSegments) {
    if (const std::string why = WhyImpossibleSegments(o); !why.empty()) return why;
  }
  if (const std::string why = WhyImpossibleNormalization(o); !why.empty()) return why;
  return WhyImpossible(o.loss);
}

namespace {

const ForecasterOptions& Checked(const ForecasterOptions& options) {
  const std::string why = WhyImpossible(options);
  if (!why.empty()) throw std::invalid_argument(why);
  return options;
}

// y [G R, J, W] = x [G J, R, W].
void ByRows(const RawLayout& layout, const float* x, float* y) {
  const int64_t R = layout.rows, J = layout.steps, W = layout.width;
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < layout.groups * R; ++i) {
    for (int64_t j = 0; j < J; ++j) {
      std::copy_n(x + ((i / R * J + j) * R + i % R) * W, W, y + (i * J + j) * W);
    }
  }
}

}  // namespace

struct Forecaster::Parts {
  Parts(const ForecasterOptions& options, Parameters& parameters)
      : network(MakeNetwork(options, parameters)),
        scaling(options.normalization, options.loss.kind) {}

  /// What the network reads of a batch: `time_steps` of `x` [T, B, C], the first of which has the
  /// known covariates of batch.known[known_time].
  NetworkInput Read(const ForecasterOptions& options, const ForecastBatch& batch,
                    int64_t time_steps, int64_t known_time, const float* x);

  std::unique_ptr<ForecastNetwork> network;
  WindowScaling scaling;
  Buffer observed;         // [T, B, C] what the network reads, as fed
  Buffer values, missing;  // [T, R, W] after normalisation
  Buffer targets;          // [G R, J, W]
};

Forecaster::Forecaster(const ForecasterOptions& options, Pass pass)
    : options_(Checked(options)), parts_(std::make_unique<Parts>(options_, parameters_)) {
  Allocate(pass);
}

Forecaster::~Forecaster() = default;

RecurrentState Forecaster::ZeroState(int64_t lanes) const {
  if (!options_.is_stream()) return {};
  RecurrentState state = parts_->network->ZeroState(RowsOf(options_, lanes));
  state.lanes = lanes;
  state.units = RowsOf(options_, 1) * options_.hidden_size;
  return state;
}

NetworkInput Forecaster::Parts::Read(const ForecasterOptions& options, const ForecastBatch& batch,
                                     int64_t time_steps, int64_t known_time, const float* x) {
  const int64_t size = time_steps * batch.items * options.channels;
  NetworkInput input;
  input.batch = &batch;
  input.batch_rows = input.rows = RowsOf(options, batch.items);
  input.time_steps = time_steps;
  input.known_time = known_time;
  input.values = values.Require(size);
  if (options.mask_inputs) input.missing = missing.Require(size);
  scaling.Apply(time_steps, x, values.data(), options.mask_inputs ? missing.data() : nullptr);
  return input;
}

ForecastSum Forecaster::Run(const ForecastBatch& batch, RecurrentState* state,
                            const DropoutSite* site, bool gradient) {
  if (!batch.targets) throw std::invalid_argument("a loss needs targets");
  Parts& p = *parts_;
  const int64_t series = batch.items * options_.channels;
  const bool stream = options_.is_stream();
  const int64_t history = stream ? batch.time_steps : options_.history;
  p.scaling.Learn(history, series, batch.history);

  const float *x = batch.history, *targets = batch.targets;
  int64_t time_steps = history;
  if (options_.decoding == Decoding::kAutoregressive) {
    // Every value but the last one is read, every one but the first may be a target.
    float* all = p.observed.Require((history + options_.horizon) * series);
    std::copy_n(batch.history, history * series, all);
    std::copy_n(batch.targets, options_.horizon * series, all + history * series);
    time_steps = history + options_.horizon - 1;
    x = all;
    if (options_.loss_on_history) targets = all + series;
  }
  const int64_t known_time = options_.decoding == Decoding::kAutoregressive ? 1 : 0;
  const NetworkInput input = p.Read(options_, batch, time_steps, known_time, x);
  DropoutSite rows_site;
  if (site) {
    rows_site = *site;
    rows_site.layer = 0;
    rows_site.first_lane = RowsOf(options_, site->first_lane);
  }
  float* raw = p.network->Forward(input, stream ? state : nullptr, site ? &rows_site : nullptr);

  const RawLayout layout = p.network->Layout(input.rows, time_steps);
  if (layout.steps > 1) {
    ByRows(layout, targets, p.targets.Require(layout.values()));
    targets = p.targets.data();
  }
  return SumLosses(options_.loss, layout, targets, p.scaling.centre(), p.scaling.scale(), gradient,
                   raw);
}

ForecastSum Forecaster::Forward(const ForecastBatch& batch, RecurrentState* state,
                                const DropoutSite& site) {
  batch_ = batch;
  return Run(batch_, state, &site, true);
}

ForecastSum Forecaster::Evaluate(const ForecastBatch& batch, RecurrentState* state) {
  return Run(batch, state, nullptr, false);
}

void Forecaster::Backward(const GradientReady& ready) { parts_->network->Backward(ready); }

int64_t Forecaster::WorkingBytes(int64_t time_steps, int64_t lanes) const {
  const int64_t steps = options_.is_stream() ? time_steps : options_.history + options_.horizon;
  const int64_t values = steps * lanes * options_.channels;
  // As fed, normalised, masks, targets.
  return (4 * values + parts_->network->WorkingFloats(RowsOf(options_, lanes), steps)) *
         static_cast<int64_t>(sizeof(float));
}

void Forecaster::Forecast(const ForecastBatch& batch, const RecurrentState* state,
                          const ForecastRequest& request, ForecastOutput& output) {
  Parts& p = *parts_;
  const bool stream = options_.is_stream();
  const bool paths = options_.draws_paths();
  const int64_t history = stream ? batch.time_steps : options_.history;
  p.scaling.Learn(history, batch.items * options_.channels, batch.history);
  const NetworkInput input = p.Read(options_, batch, history, paths ? 1 : 0, batch.history);
  if (paths) {
    return ForecastPaths(options_, *p.network, p.scaling, input, stream ? state : nullptr, request,
                         output);
  }
  const float* raw = p.network->Forward(input, nullptr, nullptr);
  ForecastOutputs(options_.loss, p.network->Layout(input.rows, history), p.scaling, raw, request,
                  output);
}

}  // namespace lockstep::worker
