#include "worker/layers/adaptive_softmax.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/golden.h"
#include "tests/worker/model_case.h"

namespace lockstep::worker {
namespace {

using Floats = std::vector<float>;

auto Near(const Floats& expected) {
  return testing::Pointwise(testing::FloatNear(2e-6f), expected);
}

/// PyTorch's layer, its weights and rows.
struct GoldenLayer {
  GoldenLayer()
      : layer(golden["classes"], golden["input"],
              {golden["cutoffs"].get<std::vector<int64_t>>(), golden["division"]}, -1, parameters),
        y(golden["y"].get<Floats>()),
        targets(golden["targets"].get<std::vector<int32_t>>()) {
    parameters.Allocate();
    EXPECT_EQ(parameters.list().size(), golden["parameters"].size());
    for (size_t i = 0; i < parameters.list().size(); ++i) {
      const auto& parameter = golden["parameters"][i];
      EXPECT_EQ(parameters.list()[i].name, parameter["name"]);
      EXPECT_EQ(parameters.list()[i].shape, parameter["shape"]);
      std::ranges::copy(parameter["value"].get<Floats>(), parameters.value(static_cast<int>(i)));
    }
  }
  int64_t rows() const { return std::ssize(targets); }

  const nlohmann::json& golden = GoldenAdaptiveSoftmax();
  Parameters parameters;
  AdaptiveSoftmax layer;
  Floats y;
  std::vector<int32_t> targets;
};

TEST(AdaptiveSoftmaxTest, IsAsPyTorchs) {
  GoldenLayer x;
  // A row that does not count, between the others and of the wrong number.
  const int64_t H = x.golden["input"], extra = 4;
  x.y.insert(x.y.begin() + extra * H, H, 0.5f);
  x.targets.insert(x.targets.begin() + extra, -1);
  const double loss = x.golden["loss"];
  EXPECT_NEAR(x.layer.Loss(x.rows(), x.y.data(), x.targets.data()), loss, 1e-6 * loss);
  Floats d_y(x.y.size(), -9.0f);
  EXPECT_NEAR(x.layer.LossAndGradient(x.rows(), x.y.data(), x.targets.data(), d_y.data()), loss,
              1e-6 * loss);
  EXPECT_THAT(Floats(d_y.begin() + extra * H, d_y.begin() + (extra + 1) * H), testing::Each(0.0f));
  d_y.erase(d_y.begin() + extra * H, d_y.begin() + (extra + 1) * H);
  EXPECT_THAT(d_y, Near(x.golden["d_y"].get<Floats>()));
  for (size_t i = 0; i < x.parameters.list().size(); ++i) {
    const float* gradient = x.parameters.gradient(static_cast<int>(i));
    EXPECT_THAT(Floats(gradient, gradient + x.parameters.list()[i].size),
                Near(x.golden["parameters"][i]["gradient"].get<Floats>()))
        << x.parameters.list()[i].name;
  }
}

TEST(AdaptiveSoftmaxTest, ItsLogitsAreLogarithmsOfProbabilities) {
  GoldenLayer x;
  const int64_t V = x.golden["classes"];
  x.layer.PackWeights();
  const float* logits = x.layer.Logits(x.rows(), x.y.data());
  EXPECT_THAT(Floats(logits, logits + x.rows() * V),
              Near(x.golden["log_probabilities"].get<Floats>()));
}

// As on a rank that has no token of a cluster, or nothing to predict.
TEST(AdaptiveSoftmaxTest, RowsMayLackClustersOrTargets) {
  for (const int32_t target : {3, 7, 15, -1}) {
    GoldenLayer x;
    std::ranges::fill(x.targets, target);
    x.layer.PackWeights();
    const float* all = x.layer.Logits(x.rows(), x.y.data());
    double expected = 0.0;
    for (int64_t row = 0; row < x.rows() && target >= 0; ++row) {
      expected -= all[row * x.golden["classes"].get<int64_t>() + target];
    }
    Floats d_y(x.y.size(), -9.0f);
    EXPECT_NEAR(x.layer.LossAndGradient(x.rows(), x.y.data(), x.targets.data(), d_y.data()),
                expected, 1e-5);
    EXPECT_NEAR(x.layer.Loss(x.rows(), x.y.data(), x.targets.data()), expected, 1e-5);
    EXPECT_EQ(std::ranges::all_of(d_y, [](float d) { return d == 0.0f; }), target < 0);
    // Whose targets they are not have no gradient.
    for (size_t i = 2; i < x.parameters.list().size(); ++i) {
      const float* gradient = x.parameters.gradient(static_cast<int>(i));
      const bool none = std::all_of(gradient, gradient + x.parameters.list()[i].size,
                                    [](float d) { return d == 0.0f; });
      const bool second = x.parameters.list()[i].name.starts_with("tail.1");
      EXPECT_EQ(none, second ? target != 15 : target != 7) << x.parameters.list()[i].name;
    }
  }
}

// All that a language model does with it: along the gradient the loss rises as the gradient's norm
// says.
TEST(AdaptiveSoftmaxTest, ALanguageModelLearnsThroughIt) {
  LanguageModelOptions options;
  options.vocabulary_size = 17;
  options.embedding_size = 6;
  options.layers = 1;
  options.hidden_size = 9;
  options.softmax = {{4, 9}, 2.0};
  ModelCase x(options, 5, 7);
  const double loss = x.Run();
  const auto values = x.model.parameters().values();
  const Floats start(values.begin(), values.end());
  const Floats gradient(x.model.parameters().gradient().begin(),
                        x.model.parameters().gradient().end());
  double squares = 0.0;
  for (const float g : gradient) squares += static_cast<double>(g) * g;
  const auto loss_at = [&](double step) {
    for (size_t i = 0; i < start.size(); ++i) {
      values[i] = static_cast<float>(start[i] + step * gradient[i] / std::sqrt(squares));
    }
    return x.Run();
  };
  const double step = 2e-2;
  EXPECT_NEAR((loss_at(step) - loss_at(-step)) / (2 * step), std::sqrt(squares),
              2e-3 * std::sqrt(squares));
  EXPECT_NEAR(loss_at(0.0), loss, 1e-6 * loss);
}

TEST(AdaptiveSoftmaxTest, OptionsThatCannotBeAreErrors) {
  const auto make = [](const AdaptiveSoftmaxOptions& options, int tied) {
    Parameters parameters;
    parameters.Add("embedding.weight", {20, 6});
    AdaptiveSoftmax(20, 6, options, tied, parameters);
  };
  EXPECT_NO_THROW(make({{5, 19}, 4.0}, -1));
  EXPECT_NO_THROW(make({}, 0));
  for (const std::vector<int64_t>& cutoffs :
       std::vector<std::vector<int64_t>>{{0}, {5, 5}, {7, 5}, {20}}) {
    EXPECT_THROW(make({cutoffs, 4.0}, -1), std::invalid_argument);
  }
  EXPECT_THROW(make({{5}, 0.5}, -1), std::invalid_argument);
  EXPECT_THROW(make({{5}, 4.0}, 0), std::invalid_argument);
  GoldenLayer x;
  EXPECT_THROW(x.layer.LossAndGradient(x.rows(), x.y.data(), x.targets.data(), x.y.data(), 0.1),
               std::invalid_argument);
}

// Where it has fewer than one number to be read from, it is read from one.
TEST(AdaptiveSoftmaxTest, ClustersAreReadFromFewerAndFewerNumbers) {
  Parameters parameters;
  const AdaptiveSoftmax layer(100, 10, {{10, 20, 30}, 3.0}, -1, parameters);
  const std::vector<std::vector<int64_t>> shapes = {{13, 10}, {13},    {3, 10}, {10, 3},
                                                    {1, 10},  {10, 1}, {1, 10}, {70, 1}};
  ASSERT_EQ(parameters.list().size(), shapes.size());
  for (size_t i = 0; i < shapes.size(); ++i) EXPECT_EQ(parameters.list()[i].shape, shapes[i]);
}

}  // namespace
}  // namespace lockstep::worker
