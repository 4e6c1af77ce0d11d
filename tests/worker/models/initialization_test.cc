#include "worker/models/initialization.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <vector>

#include <gtest/gtest.h>

#include "worker/models/language_model.h"
#include "worker/philox.h"

namespace lockstep::worker {
namespace {

constexpr LanguageModelOptions kOptions{.vocabulary_size = 101,
                                        .embedding_size = 60,
                                        .cell = Cell::kLstm,
                                        .layers = 2,
                                        .hidden_size = 64};

std::vector<float> Drawn(const LanguageModelOptions& shape, const InitializationOptions& options) {
  LanguageModel model(shape);
  Initialize(model.parameters(), options);
  const auto values = model.parameters().values();
  return {values.begin(), values.end()};
}

struct Moments {
  explicit Moments(std::span<const float> values) {
    const double n = static_cast<double>(values.size());
    for (const float x : values) mean += x / n;
    for (const float x : values) variance += (x - mean) * (x - mean) / n;
    largest = std::max(std::abs(std::ranges::max(values)), std::abs(std::ranges::min(values)));
  }
  double mean = 0.0, variance = 0.0, largest = 0.0;
};

std::span<const float> Values(const LanguageModel& model, const Parameter& parameter) {
  return model.parameters().values().subspan(parameter.offset, parameter.size);
}

// Within the bound, near it at both ends, and with a uniform distribution's moments to five
// standard errors (of the mean b / sqrt(3 n), of the variance b^2 sqrt(4 / 45 n)).
void ExpectUniform(std::span<const float> values, double bound) {
  const Moments moments(values);
  const double n = static_cast<double>(values.size());
  EXPECT_LE(moments.largest, bound * (1 + 1e-7));
  EXPECT_GT(moments.largest, bound * (1.0 - 20.0 / n));
  EXPECT_NEAR(moments.mean, 0.0, 5.0 * bound / std::sqrt(3.0 * n));
  EXPECT_NEAR(moments.variance, bound * bound / 3.0,
              5.0 * bound * bound * std::sqrt(4.0 / (45.0 * n)));
}

// Moments to five standard errors, and P(|x| < deviation) of a normal distribution.
void ExpectNormal(std::span<const float> values, double deviation) {
  const Moments moments(values);
  const double n = static_cast<double>(values.size());
  EXPECT_NEAR(moments.mean, 0.0, 5.0 * deviation / std::sqrt(n));
  EXPECT_NEAR(moments.variance, deviation * deviation,
              5.0 * deviation * deviation * std::sqrt(2.0 / n));
  const auto inside =
      std::ranges::count_if(values, [=](float x) { return std::abs(x) < deviation; });
  EXPECT_NEAR(static_cast<double>(inside) / n, 0.6827, 5.0 * std::sqrt(0.6827 * 0.3173 / n));
}

TEST(InitializationTest, DefaultsArePyTorchs) {
  LanguageModel model(kOptions);
  Initialize(model.parameters(), {});
  for (const Parameter& parameter : model.parameters().list()) {
    SCOPED_TRACE(parameter.name);
    const auto values = Values(model, parameter);
    if (parameter.name != "embedding.weight") {
      ExpectUniform(values, 1.0 / 8.0);
      continue;
    }
    ExpectNormal(values, 1.0);
  }
}

TEST(InitializationTest, UniformOnRequestAndTiedEmbeddingAsTheProjection) {
  LanguageModel model(kOptions);
  Initialize(model.parameters(), {.uniform = 0.3});
  for (const Parameter& parameter : model.parameters().list()) {
    SCOPED_TRACE(parameter.name);
    ExpectUniform(Values(model, parameter), 0.3);
  }
  LanguageModelOptions tied = kOptions;
  tied.embedding_size = 64;
  tied.tie_embedding = true;
  LanguageModel tied_model(tied);
  Initialize(tied_model.parameters(), {});
  ExpectUniform(Values(tied_model, tied_model.parameters().list()[0]), 1.0 / 8.0);
}

TEST(InitializationTest, NormalOnRequest) {
  LanguageModel model(kOptions);
  Initialize(model.parameters(), {.normal = 0.01});
  for (const Parameter& parameter : model.parameters().list()) {
    SCOPED_TRACE(parameter.name);
    ExpectNormal(Values(model, parameter), 0.01);
  }
  Initialize(model.parameters(), {.normal = 0.01, .forget_gate_bias = 3.0});
  const auto& list = model.parameters().list();
  const auto bias = Values(model, list[model.parameters().Find("rnn.bias_ih_l0")]);
  EXPECT_NEAR(Moments(bias.subspan(64, 64)).mean, 3.0, 0.01);
  EXPECT_NEAR(Moments(bias.subspan(0, 64)).mean, 0.0, 0.01);
}

TEST(InitializationTest, ForgetGateBiasIsAddedToItsPartOnly) {
  LanguageModel plain(kOptions), biased(kOptions);
  Initialize(plain.parameters(), {});
  Initialize(biased.parameters(), {.forget_gate_bias = 1.5});
  for (const Parameter& parameter : plain.parameters().list()) {
    const auto before = Values(plain, parameter), after = Values(biased, parameter);
    for (int64_t i = 0; i < parameter.size; ++i) {
      const bool forget = parameter.name.starts_with("rnn.bias_ih") && i >= 64 && i < 128;
      ASSERT_FLOAT_EQ(after[i], before[i] + (forget ? 1.5f : 0.0f)) << parameter.name << " " << i;
    }
  }
  LanguageModelOptions gru = kOptions;
  gru.cell = Cell::kGru;
  EXPECT_EQ(Drawn(gru, {.forget_gate_bias = 1.5}), Drawn(gru, {})) << "a GRU has no forget gate";
}

TEST(InitializationTest, GainsAreOnesHoweverTheOthersAreDrawn) {
  Parameters parameters;
  const int gains = parameters.Add("gains", {3}, OneDraw());
  const int others = parameters.Add("others", {3}, {});
  parameters.Allocate();
  for (const double uniform : {0.0, 0.1}) {
    Initialize(parameters, {.seed = 1, .uniform = uniform});
    for (int64_t i = 0; i < 3; ++i) EXPECT_EQ(parameters.value(gains)[i], 1.0f);
    EXPECT_EQ(parameters.value(others)[0] != 0.0f, uniform > 0.0);
  }
}

TEST(InitializationTest, IsAFunctionOfTheSeed) {
  EXPECT_EQ(Drawn(kOptions, {.seed = 3}), Drawn(kOptions, {.seed = 3}));
  EXPECT_NE(Drawn(kOptions, {.seed = 3}), Drawn(kOptions, {.seed = 4}));
  EXPECT_NE(Drawn(kOptions, {.seed = 3}), Drawn(kOptions, {.seed = 3 + (uint64_t{1} << 32)}));
  // Parameters of equal shapes differ.
  LanguageModel model(kOptions);
  Initialize(model.parameters(), {});
  const auto& list = model.parameters().list();
  const auto first = Values(model, list[model.parameters().Find("rnn.bias_ih_l0")]);
  const auto second = Values(model, list[model.parameters().Find("rnn.bias_hh_l0")]);
  EXPECT_FALSE(std::ranges::equal(first, second));
}

// The draw itself, so that a seed gives the same model in every version.
TEST(InitializationTest, ElementIsItsPhiloxBlock) {
  LanguageModel model(kOptions);
  Initialize(model.parameters(), {.seed = 0x100000007, .uniform = 0.5});
  const int index = 3;
  const int64_t element = 42;
  const auto words = Philox({42, 0, 3, 1u << 28}, {7, 1});
  const double unit = ((uint64_t{words[0]} << 32 | words[1]) >> 11) / 9007199254740992.0;
  EXPECT_FLOAT_EQ(model.parameters().value(index)[element], 0.5 * (2.0 * unit - 1.0));
}

}  // namespace
}  // namespace lockstep::worker
