#include "worker/optimizers/clip.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/golden.h"
#include "tests/worker/model_case.h"
#include "worker/optimizers/optimizer.h"
#include "worker/threads.h"

namespace lockstep::worker {
namespace {

using Floats = std::vector<float>;
using testing::FloatEq;
using testing::Pointwise;

// What an update reads: descent at a rate of 1 from 0.
Floats Changed(const Floats& gradient, const GradientChange& change) {
  Floats weights(gradient.size());
  Optimizer(SgdOptions{}, std::ssize(gradient)).Step(weights, gradient, 1.0, change);
  for (float& weight : weights) weight = -weight;
  return weights;
}

TEST(ClipTest, IsAsPyTorchs) {
  const auto& golden = Golden()["clipping"];
  for (const auto& one : golden["cases"]) {
    SCOPED_TRACE(one["limit"].dump());
    const Floats gradient = golden["gradient"];
    const double norm = GlobalNorm(gradient);
    EXPECT_NEAR(norm, one["norm"], 1e-6 * norm);
    const Floats by_norm = Changed(gradient, {.factor = NormClipFactor(norm, one["limit"])});
    const Floats by_value = Changed(gradient, {.limit = one["limit"]});
    EXPECT_THAT(by_norm, Pointwise(FloatEq(), one["by_norm"].get<Floats>()));
    EXPECT_THAT(by_value, Pointwise(FloatEq(), one["by_value"].get<Floats>()));
  }
}

TEST(ClipTest, NormIsExactOverBlocksAndDoesNotDependOnThreads) {
  std::mt19937 generator(1);
  const auto x = UniformValues(generator, 10007, 1e-3f);
  double squares = 0.0;
  for (const float value : x) squares += static_cast<double>(value) * value;
  const int threads = DefaultThreads();
  SetThreads(1);
  const double one = GlobalNorm(x);
  SetThreads(3);
  const double three = GlobalNorm(x);
  SetThreads(threads);
  EXPECT_NEAR(one, std::sqrt(squares), 1e-14);
  EXPECT_EQ(one, three);
  EXPECT_EQ(GlobalNorm({}), 0.0);

  // Of two who have parts.
  const std::vector<ParameterRange> first = {{0, kNormBlock}, {2 * kNormBlock, 10007}},
                                    second = {{kNormBlock, 2 * kNormBlock}};
  std::vector<double> blocks = BlockSquares(x, first);
  EXPECT_EQ(blocks[1], 0.0);
  const std::vector<double> others = BlockSquares(x, second);
  for (size_t i = 0; i < blocks.size(); ++i) blocks[i] += others[i];
  EXPECT_EQ(NormOfBlocks(blocks), one);
}

TEST(ClipTest, NormOfWhatOverflowsFloatAndOfNan) {
  Floats x(5000, 1e30f);
  EXPECT_NEAR(GlobalNorm(x) / (1e30 * std::sqrt(5000.0)), 1.0, 1e-6);
  x[4999] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(std::isnan(GlobalNorm(x)));
}

TEST(ClipTest, WhatIsNoNumberStaysSo) {
  const Floats gradient(19, std::numeric_limits<float>::quiet_NaN());
  for (const float weight : Changed(gradient, {.factor = 0.5, .limit = 1.0})) {
    EXPECT_TRUE(std::isnan(weight));
  }
}

// Every rule reads the changed gradient: a step with a change is one over a gradient that was
// changed before.
TEST(ClipTest, EveryOptimizerTakesTheChange) {
  std::mt19937 generator(1);
  const Floats gradient = UniformValues(generator, 1001, 1.0f);
  const GradientChange change = {.factor = 0.5, .limit = 0.125};
  Floats changed = gradient;
  for (float& g : changed) g = std::clamp(0.5f * g, -0.125f, 0.125f);
  const OptimizerOptions all[] = {AdamOptions{.weight_decay = 0.1},
                                  AdamOptions{.weight_decay = 0.1, .decoupled = true},
                                  SgdOptions{.weight_decay = 0.1},
                                  SgdOptions{.momentum = 0.9, .nesterov = true},
                                  RmsPropOptions{},
                                  RmsPropOptions{.momentum = 0.9},
                                  AdagradOptions{}};
  for (const OptimizerOptions& options : all) {
    SCOPED_TRACE(options.index());
    Optimizer one(options, 1001), other(options, 1001);
    Floats weights = UniformValues(generator, 1001, 1.0f), expected = weights;
    for (int step = 0; step < 3; ++step) {
      one.Step(weights, gradient, 0.01, change);
      other.Step(expected, changed, 0.01);
    }
    EXPECT_EQ(weights, expected);
  }
}

}  // namespace
}  // namespace lockstep::worker
