// What must hold for a forecaster whatever its numbers are, and PyTorch's numbers. Losses and
// gradients against a reference: forecaster_gradient_test.

#include "worker/models/forecaster.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <stdexcept>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/forecaster_case.h"
#include "tests/worker/golden.h"
#include "tests/worker/model_case.h"
#include "worker/products/gemm.h"

namespace lockstep::worker {
namespace {

using testing::FloatNear;
using testing::Pointwise;
using Kind = ForecastLoss::Kind;

constexpr float kMissing = std::numeric_limits<float>::quiet_NaN();

ForecasterOptions Options(Decoding decoding, Kind loss = Kind::kMse) {
  ForecasterOptions options = PlainForecaster(decoding, Cell::kLstm, loss);
  options.layers = 2;
  options.hidden_size = 11;
  options.channel_embedding = 3;
  options.known_numeric = 1;
  options.known_categories = {3};
  options.static_numeric = 1;
  options.static_categories = {2};
  options.category_embedding = 2;
  options.mask_inputs = true;
  options.loss = {.kind = loss};
  return options;
}

std::vector<float> GradientOf(const Forecaster& model) {
  const auto gradient = model.parameters().gradient();
  return {gradient.begin(), gradient.end()};
}

// Items [first, first + count) of [rows, items, width].
template <class T>
std::vector<T> TakeItems(const std::vector<T>& all, int64_t items, int64_t first, int64_t count,
                         int64_t width) {
  std::vector<T> part;
  for (auto row = all.begin(); row != all.end(); row += items * width) {
    part.insert(part.end(), row + first * width, row + (first + count) * width);
  }
  return part;
}

// Makes `part` that of some items of another case, with its parameters.
void TakePart(const ForecasterCase& whole, int64_t first, ForecasterCase& part) {
  const int64_t count = part.items;
  const ForecasterOptions& o = whole.model.options();
  std::ranges::copy(whole.model.parameters().values(), part.model.parameters().values().begin());
  const auto take = [&](const auto& all, int64_t width) {
    return TakeItems(all, whole.items, first, count, width);
  };
  part.history = take(whole.history, o.channels);
  part.targets = take(whole.targets, o.channels);
  part.known = take(whole.known, o.known_numeric);
  part.known_categories = take(whole.known_categories, std::ssize(o.known_categories));
  part.statics = take(whole.statics, o.static_numeric);
  part.static_categories = take(whole.static_categories, std::ssize(o.static_categories));
  part.initial_state.h = take(whole.initial_state.h, whole.initial_state.units);
  part.initial_state.c = take(whole.initial_state.c, whole.initial_state.units);
  part.site.first_lane = whole.site.first_lane + first;
}

class EveryDecoding : public testing::TestWithParam<Decoding> {
 protected:
  int64_t steps() const { return GetParam() == Decoding::kStream ? 7 : 0; }
};

// One rank with 5 items, or two with 2 and 3: the same losses, masks, states and gradients.
TEST_P(EveryDecoding, ItemsSplitOverRanksAddUp) {
  ForecasterOptions options = Options(GetParam());
  options.dropout = 0.3;
  ForecasterCase whole(options, 5, steps());
  RecurrentState state;
  const ForecastSum all = whole.Run(&state);
  const std::vector<float> gradient = GradientOf(whole.model);
  ForecastSum sum;
  std::vector<float> parts(gradient.size(), 0.0f);
  for (const auto& [first, count] : {std::pair{0, 2}, std::pair{2, 3}}) {
    ForecasterCase part(options, count, steps());
    TakePart(whole, first, part);
    RecurrentState part_state;
    const ForecastSum one = part.Run(&part_state);
    sum.loss += one.loss;
    sum.targets += one.targets;
    for (size_t i = 0; i < parts.size(); ++i) parts[i] += GradientOf(part.model)[i];
    EXPECT_THAT(part_state.h,
                Pointwise(FloatNear(1e-5f), TakeItems(state.h, 5, first, count, state.units)));
  }
  EXPECT_EQ(sum.targets, all.targets);
  EXPECT_NEAR(sum.loss, all.loss, 2e-6 * all.loss);
  const float largest = std::max(std::ranges::max(gradient), -std::ranges::min(gradient));
  EXPECT_THAT(parts, Pointwise(FloatNear(3e-6f * largest), gradient));
}

TEST_P(EveryDecoding, TheSameCallTwiceIsBitForBitTheSame) {
  ForecasterOptions options = Options(GetParam());
  options.dropout = 0.3;
  ForecasterCase of(options, 3, steps());
  const ForecastSum first = of.Run();
  const auto gradient = GradientOf(of.model);
  // Something else in between, of another shape, that leaves its traces in every buffer.
  ForecasterCase other(options, 5, steps() > 0 ? 9 : 0, 2);
  RecurrentState state = other.initial_state;
  of.model.Forward(other.batch(), &state, other.site);
  of.model.Backward();
  ForecastOutput output;
  of.model.Forecast(ForecasterCase(options, 2, steps() > 0 ? 3 : 0).batch(), nullptr, {}, output);
  EXPECT_EQ(of.Run().loss, first.loss);
  EXPECT_EQ(GradientOf(of.model), gradient);
}

TEST_P(EveryDecoding, EvaluationIsTheForwardPassWithoutDropout) {
  ForecasterOptions options = Options(GetParam(), Kind::kGaussian);
  ForecasterCase without(options, 3, steps());
  options.dropout = 0.5;
  ForecasterCase with(options, 3, steps());
  RecurrentState state = with.initial_state, dropped = with.initial_state;
  const ForecastSum evaluated = with.model.Evaluate(with.batch(), &state);
  EXPECT_EQ(evaluated.loss, without.Run().loss);
  EXPECT_NE(with.model.Forward(with.batch(), &dropped, with.site).loss, evaluated.loss);
}

// What is forecast is what the loss is about: with the forecast as the truth there is no error, and
// an error of one value is one of 1 * 1. Of steps that feed back this says that they read what they
// have written, at the time it belongs to, with the covariates of that time.
TEST_P(EveryDecoding, ForecastsAreTheModelsOwnTargets) {
  for (const Normalization normalization : AllNormalizations()) {
    ForecasterOptions options = Options(GetParam());
    options.normalization = normalization;
    if (!WhyImpossible(options).empty()) continue;
    ForecasterCase of(options, 3, steps());
    const int64_t size = 3 * options.channels, T = of.time_steps;
    ForecastOutput output;
    of.model.Forecast(of.batch(), &of.initial_state, {}, output);
    ASSERT_EQ(std::ssize(output.mean), options.horizon * size);
    EXPECT_TRUE(output.quantiles.empty());
    of.targets = output.mean;
    RecurrentState state = of.initial_state;
    ForecastBatch batch = of.batch();
    if (T > 0) {
      of.history.insert(of.history.end(), output.mean.begin(), output.mean.end() - size);
      of.targets.insert(of.targets.begin(), (T - 1) * size, kMissing);
      batch = of.batch();
      batch.time_steps = T + options.horizon - 1;
      batch.known = of.known.data() + 3 * options.known_numeric;
      batch.known_categories = of.known_categories.data() + 3;
    }
    EXPECT_NEAR(of.model.Evaluate(batch, &state).loss, 0.0, 1e-8) << NameOf(normalization);
    of.targets.back() += 1.0f;
    batch.targets = of.targets.data();
    state = of.initial_state;
    EXPECT_NEAR(of.model.Evaluate(batch, &state).loss, 1.0, 1e-4) << NameOf(normalization);
  }
}

TEST_P(EveryDecoding, QuantilesOfDistributionsDoNotDecrease) {
  for (const Kind kind : AllLosses()) {
    ForecasterCase of(Options(GetParam(), kind), 3, steps());
    ForecastOutput output;
    of.model.Forecast(of.batch(), &of.initial_state, {.levels = {0.1, 0.5, 0.9}, .paths = 50},
                      output);
    const size_t size = output.mean.size();
    if (!of.model.options().loss.is_distribution()) {
      EXPECT_TRUE(output.quantiles.empty());
      continue;
    }
    ASSERT_EQ(output.quantiles.size(), 3 * size) << NameOf(kind);
    int rising = 0;
    for (size_t i = 0; i < 2 * size; ++i) {
      ASSERT_LE(output.quantiles[i], output.quantiles[size + i]) << NameOf(kind);
      rising += output.quantiles[i] < output.quantiles[size + i];
    }
    EXPECT_GT(rising, 0) << NameOf(kind);
  }
}

// Also of sizes that no language model has: one value a step, few outputs.
TEST_P(EveryDecoding, NoProductRunsOnReferenceCode) {
  int count = 0;
  ObserveProducts([&](const ProductShape& shape, const std::string& engine) {
    EXPECT_FALSE(IsReferenceEngine(engine)) << shape.m << " x " << shape.n << " x " << shape.k;
    ++count;
  });
  for (const int64_t hidden : {7, 64, 200}) {
    for (const int64_t items : {1, 13}) {
      ForecasterOptions options = Options(GetParam());
      options.hidden_size = hidden;
      ForecasterCase of(options, items, steps());
      of.Run();
      options.known_numeric = options.static_numeric = options.channel_embedding = 0;
      options.known_categories = options.static_categories = {};
      options.mask_inputs = false;
      ForecasterCase plain(options, items, steps());
      plain.Run();
    }
  }
  ObserveProducts({});
  EXPECT_GT(count, 20);
}

INSTANTIATE_TEST_SUITE_P(All, EveryDecoding, testing::ValuesIn(AllDecodings()),
                         [](const auto& test) { return NameOf(test.param); });

// Paths of the items [first, first + count) of the same case, which are numbered from `number`.
std::vector<float> PathsOf(const ForecasterCase& whole, int64_t first, int64_t count, int64_t paths,
                           uint64_t seed, int64_t number = 7) {
  ForecasterCase part(whole.model.options(), count);
  TakePart(whole, first, part);
  std::vector<int64_t> numbers;
  for (int64_t i = 0; i < count; ++i) numbers.push_back(number + first + i);
  ForecastOutput output;
  part.model.Forecast(part.batch(), nullptr,
                      {.levels = {0.5},
                       .paths = paths,
                       .seed = seed,
                       .item_numbers = numbers.data(),
                       .keep_paths = true},
                      output);
  return output.paths;
}

TEST(ForecastPathsTest, APathIsAFunctionOfSeedItemPathAndStep) {
  for (const Kind kind : {Kind::kGaussian, Kind::kStudentT, Kind::kQuantiles}) {
    const ForecasterCase whole(Options(Decoding::kAutoregressive, kind), 3);
    const int64_t horizon = 4, channels = 2;
    const auto all = PathsOf(whole, 0, 3, 20, 7);
    ASSERT_EQ(std::ssize(all), 20 * horizon * 3 * channels);
    const auto part = PathsOf(whole, 1, 2, 20, 7);
    EXPECT_THAT(part, Pointwise(FloatNear(1e-4f), TakeItems(all, 3, 1, 2, channels)));
    // More paths than run at a time begin with the same ones.
    const auto many = PathsOf(whole, 0, 3, 3000, 7);
    EXPECT_THAT(std::vector<float>(many.begin(), many.begin() + std::ssize(all)),
                Pointwise(FloatNear(1e-4f), all));
    EXPECT_NE(PathsOf(whole, 0, 3, 20, 8), all);
    EXPECT_NE(PathsOf(whole, 0, 3, 20, 7, 8), all);
    EXPECT_NE(PathsOf(whole, 0, 3, 20, 7, 7 + (int64_t{1} << 32)), all);
    // No two channels, items, steps or paths have the same draws.
    std::vector<float> sorted = all;
    std::ranges::sort(sorted);
    const bool outermost_repeat = kind == Kind::kQuantiles;
    EXPECT_EQ(std::ranges::adjacent_find(sorted) == sorted.end(), !outermost_repeat);
  }
}

// The first step's draws have the distribution that the loss of that step is about.
TEST(ForecastPathsTest, MeanAndQuantilesAreThoseOfTheDistribution) {
  ForecasterOptions options = Options(Decoding::kAutoregressive, Kind::kGaussian);
  options.horizon = 1;
  options.normalization = Normalization::kMeanAndDeviation;
  ForecasterCase of(options, 1);
  std::mt19937 generator(3);
  of.history = UniformValues(generator, of.history.size(), 5.0f);
  ForecastOutput output;
  of.model.Forecast(of.batch(), nullptr, {.levels = {0.1, 0.9}, .paths = 40'000}, output);
  // By the likelihood of the mean and of the quantile: log density falls by z^2 / 2.
  const auto loss_at = [&](int64_t channel, float y) {
    std::vector<float> targets(2, kMissing);
    targets[channel] = y;
    ForecastBatch batch = of.batch();
    batch.targets = targets.data();
    return of.model.Evaluate(batch, nullptr).loss;
  };
  constexpr double kZ = 1.2815515655446004;
  for (int64_t channel = 0; channel < 2; ++channel) {
    const double at_mean = loss_at(channel, output.mean[channel]);
    EXPECT_NEAR(loss_at(channel, output.quantiles[channel]) - at_mean, kZ * kZ / 2, 0.05);
    EXPECT_NEAR(loss_at(channel, output.quantiles[2 + channel]) - at_mean, kZ * kZ / 2, 0.05);
    const double sigma = (output.quantiles[2 + channel] - output.quantiles[channel]) / (2 * kZ);
    EXPECT_NEAR(at_mean, std::log(sigma * std::sqrt(2 * M_PI)), 0.02);
  }
}

// Truncated BPTT: the state that is carried makes pieces of a stream the stream.
TEST(StreamTest, StateIsCarriedFromBatchToBatch) {
  ForecasterCase whole(Options(Decoding::kStream), 3, 6);
  RecurrentState at_once = whole.initial_state, in_pieces = whole.initial_state;
  const ForecastSum all = whole.model.Forward(whole.batch(), &at_once, whole.site);
  ForecastSum sum;
  for (int64_t t = 0; t < 6; t += 2) {
    ForecastBatch piece = whole.batch();
    piece.time_steps = 2;
    piece.history += t * 3 * 2;
    piece.targets += t * 3 * 2;
    piece.known += t * 3;
    piece.known_categories += t * 3;
    const ForecastSum one = whole.model.Forward(piece, &in_pieces, whole.site);
    sum.loss += one.loss;
    sum.targets += one.targets;
  }
  EXPECT_NEAR(sum.loss, all.loss, 1e-6 * all.loss);
  EXPECT_EQ(sum.targets, all.targets);
  EXPECT_THAT(in_pieces.h, Pointwise(FloatNear(1e-5f), at_once.h));
  EXPECT_THAT(in_pieces.c, Pointwise(FloatNear(1e-5f), at_once.c));
}

TEST(StreamTest, StateIsOfLanesAndOfNothingElse) {
  const Forecaster stream(Options(Decoding::kStream), Pass::kNone);
  const RecurrentState state = stream.ZeroState(5);
  EXPECT_EQ(state.layers, 2);
  EXPECT_EQ(state.lanes, 5);
  EXPECT_EQ(state.units, 2 * 11) << "both channels of a lane";
  ASSERT_EQ(state.parts().size(), 2u);
  EXPECT_EQ(state.parts()[1].values.size(), 2u * 5u * 22u);
  EXPECT_TRUE(Forecaster(Options(Decoding::kDirect), Pass::kNone).ZeroState(5).parts().empty());
}

TEST(ForecasterTest, RefusesWhatDoesNotGoTogether) {
  const auto why = [](auto change) {
    ForecasterOptions options = Options(Decoding::kSegments);
    change(options);
    EXPECT_THROW(Forecaster(options, Pass::kNone), std::invalid_argument);
    return WhyImpossible(options);
  };
  EXPECT_EQ(WhyImpossible(Options(Decoding::kSegments)), "");
  using testing::HasSubstr;
  EXPECT_THAT(why([](auto& o) { o.history = 7; }),
              HasSubstr("history 7 is not a multiple of segment_length 2"));
  EXPECT_THAT(why([](auto& o) { o.horizon = 5; }),
              HasSubstr("horizon 5 is not a multiple of segment_length 2"));
  EXPECT_THAT(why([](auto& o) { o.segment_length = 0; }), HasSubstr("segment_length"));
  EXPECT_THAT(why([](auto& o) { o.channel_embedding = 11; }), HasSubstr("channel_embedding 11"));
  EXPECT_THAT(why([](auto& o) { o.channels_together = true; }), HasSubstr("channel_embedding"));
  EXPECT_THAT(why([](auto& o) { o.hidden_size = 0; }), HasSubstr("hidden_size 0"));
  EXPECT_THAT(why([](auto& o) { o.category_embedding = 0; }), HasSubstr("category_embedding"));
  EXPECT_THAT(why([](auto& o) { o.loss.delta = -1, o.loss.kind = Kind::kHuber; }),
              HasSubstr("delta"));
  EXPECT_THAT(why([](auto& o) {
                o.decoding = Decoding::kStream;
                o.normalization = Normalization::kMean;
              }),
              HasSubstr("STREAM"));
  EXPECT_THAT(why([](auto& o) {
                o.loss.kind = Kind::kNegativeBinomial;
                o.normalization = Normalization::kLast;
              }),
              HasSubstr("counts"));
}

// The sizes in make_golden_forecasters.py.
ForecasterOptions GoldenOptions(const std::string& decoding, const std::string& loss) {
  ForecasterOptions options;
  options.channels = 3;
  options.history = 6;
  options.horizon = 4;
  options.segment_length = 2;
  options.hidden_size = 4;
  options.channel_embedding = 2;
  if (decoding == "SEGMENTS") {
    options.decoding = Decoding::kSegments;
    options.normalization = Normalization::kLast;
    return options;
  }
  options.cell = Cell::kLstm;
  if (decoding == "DIRECT") {
    options.layers = 2;
    options.channel_embedding = 0;
    options.normalization = Normalization::kMeanAndDeviation;
    options.loss = {.kind = Kind::kQuantiles, .levels = {0.1, 0.5, 0.9}};
    return options;
  }
  options.decoding = Decoding::kAutoregressive;
  options.normalization = Normalization::kMean;
  options.loss.kind = loss == "GAUSSIAN"    ? Kind::kGaussian
                      : loss == "STUDENT_T" ? Kind::kStudentT
                                            : Kind::kNegativeBinomial;
  return options;
}

TEST(GoldenForecasterTest, LossesAndGradientsAreAsPyTorchs) {
  using Floats = std::vector<float>;
  ASSERT_EQ(GoldenForecasters()["cases"].size(), 5u);
  for (const auto& golden : GoldenForecasters()["cases"]) {
    SCOPED_TRACE(golden["decoding"].get<std::string>() + " " +
                 golden["loss_name"].get<std::string>());
    Forecaster model(GoldenOptions(golden["decoding"], golden["loss_name"]));
    Parameters& parameters = model.parameters();
    ASSERT_EQ(golden["parameters"].size(), parameters.list().size());
    for (const auto& parameter : golden["parameters"]) {
      const int index = parameters.Find(parameter["name"]);
      ASSERT_GE(index, 0) << parameter["name"];
      const auto values = parameter["value"].get<Floats>();
      ASSERT_EQ(std::ssize(values), parameters.list()[index].size) << parameter["name"];
      std::ranges::copy(values, parameters.value(index));
    }
    const auto history = golden["history"].get<Floats>(), targets = golden["targets"].get<Floats>();
    const ForecastSum sum = model.Forward(
        {.items = 2, .history = history.data(), .targets = targets.data()}, nullptr, {});
    model.Backward();
    EXPECT_EQ(sum.targets, 4 * 2 * 3);
    // Ours in float32, theirs in float64.
    const double loss = golden["loss"];
    EXPECT_NEAR(sum.loss, loss, 2e-6 * std::abs(loss));
    for (const auto& parameter : golden["parameters"]) {
      const auto expected = parameter["gradient"].get<Floats>();
      const float largest = std::max(std::ranges::max(expected), -std::ranges::min(expected));
      const float* first = parameters.gradient(parameters.Find(parameter["name"]));
      EXPECT_THAT(Floats(first, first + expected.size()),
                  Pointwise(FloatNear(5e-6f * largest), expected))
          << parameter["name"];
    }
  }
}

}  // namespace
}  // namespace lockstep::worker
