#include "worker/layers/output_layer.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "tests/worker/model_case.h"
#include "worker/products/gemm.h"
#include "worker/threads.h"

namespace lockstep::worker {
namespace {

// OutputLayer keeps 16 Mi logits at a time, but no fewer than 128 rows of one hidden unit, so 599
// rows of 40,000 classes are two blocks of 300 rows. One unit keeps the products cheap.
constexpr int64_t kClasses = 40'000, kHidden = 1, kRows = 599;

struct Projection {
  Projection() : layer(kClasses, kHidden, -1, parameters) {
    parameters.Allocate();
    std::mt19937 generator(1);
    const auto values = UniformValues(generator, parameters.size(), 2.0f);
    std::copy(values.begin(), values.end(), parameters.values().begin());
    y = UniformValues(generator, kRows * kHidden, 1.0f);
    for (int64_t row = 0; row < kRows; ++row) {
      targets.push_back(static_cast<int32_t>(generator() % kClasses));
    }
    targets[17] = -1;
  }

  Parameters parameters;
  OutputLayer layer;
  std::vector<float> y;
  std::vector<int32_t> targets;
};

// Loss and gradients in double, all rows at once.
struct Expected {
  explicit Expected(const Projection& p, double smoothing = 0.0)
      : d_values(p.parameters.size()), d_y(kRows) {
    const float* weights = p.parameters.value(0);
    const float* bias = p.parameters.value(1);
    std::vector<double> softmax(kClasses);
    for (int64_t row = 0; row < kRows; ++row) {
      if (p.targets[row] < 0) continue;
      double sum = 0.0;
      for (int64_t v = 0; v < kClasses; ++v) {
        softmax[v] = std::exp(static_cast<double>(weights[v]) * p.y[row] + bias[v]);
        sum += softmax[v];
      }
      const int32_t target = p.targets[row];
      for (int64_t v = 0; v < kClasses; ++v) {
        const double wanted =
            (v == target ? 1.0 - smoothing : 0.0) + smoothing / static_cast<double>(kClasses);
        loss -= wanted * std::log(softmax[v] / sum);
        const double d_logit = softmax[v] / sum - wanted;
        d_values[v] += d_logit * p.y[row];
        d_values[kClasses + v] += d_logit;
        d_y[row] += d_logit * weights[v];
      }
    }
  }

  double loss = 0.0;
  std::vector<double> d_values, d_y;
};

TEST(OutputLayerTest, BlocksOfALargeVocabularyAddUp) {
  Projection p;
  const Expected expected(p);
  // float32 sums of 50,000 exponentials are right to about 1e-5, their logarithms to as much
  // of 11.
  const double tolerance = 2e-6 * expected.loss;
  EXPECT_NEAR(p.layer.Loss(kRows, p.y.data(), p.targets.data()), expected.loss, tolerance);
  std::vector<float> d_y(kRows, -9.0f);
  EXPECT_NEAR(p.layer.LossAndGradient(kRows, p.y.data(), p.targets.data(), d_y.data()),
              expected.loss, tolerance);
  for (int64_t row = 0; row < kRows; ++row) {
    // A float32 sum of 50,000 terms; a block in the wrong place would be off by about 1.
    ASSERT_NEAR(d_y[row], expected.d_y[row], 1e-4) << "row " << row;
  }
  EXPECT_EQ(d_y[17], 0.0f) << "the row that does not count";
  const auto gradient = p.parameters.gradient();
  for (int64_t i = 0; i < p.parameters.size(); ++i) {
    ASSERT_NEAR(gradient[i], expected.d_values[i], 2e-6) << "parameter " << i;
  }
}

TEST(OutputLayerTest, SmoothingIsInTheGradientsLossAlone) {
  Projection p;
  const Expected plain(p), smoothed(p, 0.25);
  ASSERT_GT(smoothed.loss, 1.001 * plain.loss);
  std::vector<float> d_y(kRows, -9.0f);
  EXPECT_NEAR(p.layer.LossAndGradient(kRows, p.y.data(), p.targets.data(), d_y.data(), 0.25),
              smoothed.loss, 2e-6 * smoothed.loss);
  EXPECT_NEAR(p.layer.Loss(kRows, p.y.data(), p.targets.data()), plain.loss, 2e-6 * plain.loss);
  for (int64_t row = 0; row < kRows; ++row) ASSERT_NEAR(d_y[row], smoothed.d_y[row], 1e-4);
  const auto gradient = p.parameters.gradient();
  for (int64_t i = 0; i < p.parameters.size(); ++i) {
    ASSERT_NEAR(gradient[i], smoothed.d_values[i], 2e-6) << "parameter " << i;
  }
}

// All of [V, H] is packed for each block, or once for all of them, where there are many.
TEST(OutputLayerTest, BlocksHoldEnoughRows) {
  Parameters parameters;
  const OutputLayer small(65, 512, -1, parameters), words(50'000, 200, -1, parameters),
      huge(1'000'000, 64, -1, parameters), wide(1'000'000, 1024, -1, parameters);
  EXPECT_EQ(small.WorkingFloats(4096), 4096 * 65);
  const auto in_blocks = [](const OutputLayer& layer, int64_t hidden_size, int64_t block) {
    const int64_t V = layer.classes();
    EXPECT_EQ(layer.WorkingFloats(0), 0);
    EXPECT_EQ(layer.WorkingFloats(100), 100 * V);
    EXPECT_EQ(layer.WorkingFloats(1023), block * V);
    const bool packs = PaysToPack(512, V, hidden_size);
    EXPECT_EQ(layer.WorkingFloats(1024), (packs ? 768 + 2 * hidden_size : block) * V);
    EXPECT_EQ(layer.WorkingFloats(4096), (packs ? 768 + 2 * hidden_size : block) * V);
  };
  in_blocks(words, 200, 335);
  in_blocks(wide, 1024, 512);
  in_blocks(huge, 64, 128);
}

// Logits of more than 16 M floats, so that rows are taken in blocks: as a few rows at a time, whose
// logits stand in memory all at once; and again when W has changed.
TEST(OutputLayerTest, BlocksOfManyRowsAreAsFewRowsAtATime) {
  const int64_t V = 33'003, H = 256, rows = 1030, few = 103;
  const int threads = DefaultThreads();
  SetThreads(2);
  Parameters parameters;
  OutputLayer layer(V, H, -1, parameters);
  parameters.Allocate();
  std::mt19937 generator(5);
  const auto values = UniformValues(generator, parameters.size(), 0.1f);
  const auto y = UniformValues(generator, rows * H, 1.0f);
  std::vector<int32_t> targets(rows);
  for (auto& target : targets) target = static_cast<int32_t>(generator() % V);
  const auto gradient = parameters.gradient();
  for (const float scale : {1.0f, -0.5f}) {
    SCOPED_TRACE(scale);
    std::ranges::transform(values, parameters.values().begin(),
                           [&](float value) { return scale * value; });
    double expected = 0.0;
    std::vector<float> expected_d_y(rows * H), d_y(rows * H, -9.0f);
    parameters.ClearGradient();
    for (int64_t row = 0; row < rows; row += few) {
      ASSERT_EQ(layer.WorkingFloats(few), few * V);
      expected += layer.LossAndGradient(few, y.data() + row * H, targets.data() + row,
                                        expected_d_y.data() + row * H);
    }
    const std::vector<float> expected_gradient(gradient.begin(), gradient.end());
    parameters.ClearGradient();
    EXPECT_NEAR(layer.LossAndGradient(rows, y.data(), targets.data(), d_y.data()), expected,
                1e-6 * expected);
    EXPECT_NEAR(layer.Loss(rows, y.data(), targets.data()), expected, 1e-6 * expected);
    for (int64_t i = 0; i < rows * H; ++i) ASSERT_NEAR(d_y[i], expected_d_y[i], 1e-6) << i;
    for (int64_t i = 0; i < parameters.size(); ++i) {
      ASSERT_NEAR(gradient[i], expected_gradient[i], 5e-6) << i;
    }
  }
  SetThreads(threads);
}

TEST(OutputLayerTest, NoRowsAreNothing) {
  Projection p;
  EXPECT_EQ(p.layer.LossAndGradient(0, p.y.data(), p.targets.data(), nullptr), 0.0);
  EXPECT_EQ(p.layer.Loss(0, p.y.data(), p.targets.data()), 0.0);
}

TEST(OutputLayerTest, HasTorchLinearsParametersUnlessTied) {
  Parameters own, tied;
  OutputLayer own_layer(7, 3, -1, own);
  const int embedding = tied.Add("embedding.weight", {7, 3});
  OutputLayer tied_layer(7, 3, embedding, tied);
  ASSERT_EQ(own.list().size(), 2u);
  EXPECT_EQ(own.list()[0].name, "projection.weight");
  EXPECT_EQ(own.list()[0].shape, (std::vector<int64_t>{7, 3}));
  EXPECT_EQ(own.list()[1].name, "projection.bias");
  ASSERT_EQ(tied.list().size(), 2u);
  EXPECT_EQ(tied.list()[1].name, "projection.bias");
}

}  // namespace
}  // namespace lockstep::worker
