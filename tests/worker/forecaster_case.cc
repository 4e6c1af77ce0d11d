#include "tests/worker/forecaster_case.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>

#include "tests/worker/model_case.h"

namespace lockstep::worker {
namespace {

// Values about 1, or counts; one in `rarity` is missing.
std::vector<float> Series(std::mt19937& generator, int64_t count, bool counts, uint32_t rarity) {
  std::vector<float> values = UniformValues(generator, count, 2.0f);
  for (float& value : values) {
    value = counts ? std::floor(2.0f * (value + 2.0f)) : value + 1.0f;
    if (generator() % rarity == 0) value = std::numeric_limits<float>::quiet_NaN();
  }
  return values;
}

std::vector<int32_t> Categories(std::mt19937& generator, int64_t rows,
                                const std::vector<int64_t>& sizes) {
  std::vector<int32_t> values;
  for (int64_t row = 0; row < rows; ++row) {
    for (const int64_t size : sizes) {
      values.push_back(static_cast<int32_t>(generator() % (size + 1)) - 1);  // -1: not known
    }
  }
  return values;
}

}  // namespace

ForecasterCase::ForecasterCase(const ForecasterOptions& options, int64_t items_in,
                               int64_t time_steps_in, uint32_t random_seed)
    : model(options),
      items(items_in),
      time_steps(time_steps_in),
      initial_state(model.ZeroState(items_in)) {
  std::mt19937 generator(random_seed);
  const auto values = UniformValues(generator, model.parameters().values().size(), 0.5f);
  std::ranges::copy(values, model.parameters().values().begin());
  for (const auto& part : initial_state.parts()) {
    part.values = UniformValues(generator, part.values.size(), 0.8f);
  }
  const bool stream = options.decoding == Decoding::kStream;
  const int64_t past = stream ? time_steps : options.history;
  const int64_t future = stream ? time_steps : options.horizon;
  const int64_t known_steps = past + options.horizon;  // of kStream for Forecast, too
  const bool counts = options.loss.kind == ForecastLoss::Kind::kNegativeBinomial;
  const int64_t series = items * options.channels;
  history = Series(generator, past * series, counts, 9);
  targets = Series(generator, future * series, counts, 5);
  for (int64_t t = 0; t < past; ++t) {
    history[t * series + series - 1] = std::numeric_limits<float>::quiet_NaN();
  }
  known = UniformValues(generator, known_steps * items * options.known_numeric, 1.0f);
  statics = UniformValues(generator, items * options.static_numeric, 1.0f);
  known_categories = Categories(generator, known_steps * items, options.known_categories);
  static_categories = Categories(generator, items, options.static_categories);
  std::fill_n(static_categories.begin(), options.static_categories.size(), 1);
}

ForecastBatch ForecasterCase::batch() const {
  return {.items = items,
          .time_steps = time_steps,
          .history = history.data(),
          .targets = targets.data(),
          .known = known.data(),
          .known_categories = known_categories.data(),
          .statics = statics.data(),
          .static_categories = static_categories.data()};
}

ReferenceState ForecasterCase::InitialReferenceState() const {
  return {{initial_state.h.begin(), initial_state.h.end()},
          {initial_state.c.begin(), initial_state.c.end()}};
}

ForecastSum ForecasterCase::Run(RecurrentState* final_state) {
  RecurrentState state = initial_state;
  std::ranges::fill(model.parameters().gradient(), 0.0f);
  const ForecastSum sum = model.Forward(batch(), &state, site);
  model.Backward(ready);
  if (final_state) *final_state = state;
  return sum;
}

const std::vector<Decoding>& AllDecodings() {
  static const std::vector<Decoding> all = {Decoding::kDirect, Decoding::kAutoregressive,
                                            Decoding::kSegments, Decoding::kStream};
  return all;
}

std::string NameOf(Decoding decoding) {
  switch (decoding) {
    case Decoding::kDirect:
      return "Direct";
    case Decoding::kAutoregressive:
      return "Autoregressive";
    case Decoding::kSegments:
      return "Segments";
    case Decoding::kStream:
      return "Stream";
  }
  return "";
}

ForecasterOptions PlainForecaster(Decoding decoding, Cell cell, ForecastLoss::Kind loss) {
  ForecasterOptions options;
  options.decoding = decoding;
  options.cell = cell;
  options.layers = 1;
  options.hidden_size = 5;
  options.history = 6;
  options.horizon = 4;
  options.segment_length = 2;
  options.channels = 2;
  options.channel_embedding = 2;
  options.loss.kind = loss;
  options.loss.delta = 0.4;
  options.loss.levels = {0.1, 0.6, 0.9};
  return options;
}

ForecasterOptions RichForecaster(Decoding decoding, Cell cell, ForecastLoss::Kind loss) {
  ForecasterOptions options = PlainForecaster(decoding, cell, loss);
  options.layers = 2;
  options.dropout = 0.3;
  options.channels_together = true;
  options.channel_embedding = 0;
  options.known_numeric = 2;
  options.known_categories = {3, 2};
  options.static_numeric = 1;
  options.static_categories = {2};
  options.category_embedding = 2;
  options.mask_inputs = true;
  options.loss_on_history = decoding == Decoding::kAutoregressive;
  return options;
}

const std::vector<Normalization>& AllNormalizations() {
  static const std::vector<Normalization> all = {Normalization::kNone, Normalization::kLast,
                                                 Normalization::kMean,
                                                 Normalization::kMeanAndDeviation};
  return all;
}

std::string NameOf(Normalization normalization) {
  switch (normalization) {
    case Normalization::kNone:
      return "None";
    case Normalization::kLast:
      return "Last";
    case Normalization::kMean:
      return "Mean";
    case Normalization::kMeanAndDeviation:
      return "MeanAndDeviation";
  }
  return "";
}

const std::vector<ForecastLoss::Kind>& AllLosses() {
  using Kind = ForecastLoss::Kind;
  static const std::vector<Kind> all = {Kind::kMse,      Kind::kMae,      Kind::kHuber,
                                        Kind::kGaussian, Kind::kStudentT, Kind::kNegativeBinomial,
                                        Kind::kQuantiles};
  return all;
}

std::string NameOf(ForecastLoss::Kind loss) {
  switch (loss) {
    case ForecastLoss::Kind::kMse:
      return "Mse";
    case ForecastLoss::Kind::kMae:
      return "Mae";
    case ForecastLoss::Kind::kHuber:
      return "Huber";
    case ForecastLoss::Kind::kGaussian:
      return "Gaussian";
    case ForecastLoss::Kind::kStudentT:
      return "StudentT";
    case ForecastLoss::Kind::kNegativeBinomial:
      return "NegativeBinomial";
    case ForecastLoss::Kind::kQuantiles:
      return "Quantiles";
  }
  return "";
}

}  // namespace lockstep::worker
