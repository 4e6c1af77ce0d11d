#include "worker/layers/pooling.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/model_case.h"

namespace lockstep::worker {
namespace {

using Floats = std::vector<float>;
using testing::FloatNear;
using testing::Pointwise;

// 17 units of two directions: full vectors and what is left of them.
constexpr int64_t kDirections = 2, kUnits = 17, kWidth = 34;

struct PoolingCase {
  explicit PoolingCase(Pooling kind)
      : layer(kind, kDirections, kUnits, parameters),
        steps(PackedSteps::OfLengths(std::vector<int64_t>{4, 2, 2, 1})) {
    parameters.Allocate();
    std::mt19937 generator(1);
    std::ranges::copy(UniformValues(generator, parameters.size(), 0.5f),
                      parameters.values().begin());
    outputs = UniformValues(generator, steps.rows() * kWidth, 1.0f);
    state.layers = 2 * kDirections;
    state.lanes = steps.items();
    state.units = kUnits;
    state.h = UniformValues(generator, state.layers * steps.items() * kUnits, 1.0f);
    d_pooled = UniformValues(generator, steps.items() * kWidth, 1.0f);
  }

  Floats Forward() {
    Floats pooled(steps.items() * kWidth, -9.0f);
    layer.Forward(steps, outputs.data(), state, pooled.data());
    return pooled;
  }
  float Output(int64_t item, int64_t t, int64_t unit) const {
    return outputs[(steps.first_row(t) + item) * kWidth + unit];
  }

  Parameters parameters;
  PoolingLayer layer;
  PackedSteps steps;
  Floats outputs, d_pooled;
  RecurrentState state;
};

TEST(PoolingTest, LastIsTheLastLayersStateOfEachDirection) {
  PoolingCase of(Pooling::kLast);
  const int64_t B = of.steps.items();
  EXPECT_FALSE(of.layer.ReadsOutputs());
  const Floats pooled = of.Forward();
  RecurrentState d_state = of.state;
  std::ranges::fill(d_state.h, 0.0f);
  of.layer.Backward(of.d_pooled.data(), nullptr, false, d_state);
  for (int64_t item = 0; item < B; ++item) {
    for (int64_t unit = 0; unit < kWidth; ++unit) {
      const int64_t at = ((2 + unit / kUnits) * B + item) * kUnits + unit % kUnits;
      EXPECT_EQ(pooled[item * kWidth + unit], of.state.h[at]);
      EXPECT_EQ(d_state.h[at], of.d_pooled[item * kWidth + unit]);
    }
  }
  for (int64_t i = 0; i < 2 * B * kUnits; ++i) EXPECT_EQ(d_state.h[i], 0.0f);
}

TEST(PoolingTest, MeanIsOverTheRowsOfAnItem) {
  PoolingCase of(Pooling::kMean);
  const Floats pooled = of.Forward();
  for (int64_t item = 0; item < of.steps.items(); ++item) {
    for (int64_t unit = 0; unit < kWidth; ++unit) {
      double sum = 0.0;
      for (int64_t t = 0; t < of.steps.length(item); ++t) sum += of.Output(item, t, unit);
      EXPECT_NEAR(pooled[item * kWidth + unit], sum / static_cast<double>(of.steps.length(item)),
                  1e-6);
    }
  }
}

TEST(PoolingTest, MaxIsTheLargestAndItsGradientGoesThereAlone) {
  PoolingCase of(Pooling::kMax);
  const Floats pooled = of.Forward();
  Floats d_outputs(of.outputs.size(), -9.0f);
  of.layer.Backward(of.d_pooled.data(), d_outputs.data(), false, of.state);
  for (int64_t item = 0; item < of.steps.items(); ++item) {
    for (int64_t unit = 0; unit < kWidth; ++unit) {
      float most = -9.0f;
      for (int64_t t = 0; t < of.steps.length(item); ++t) {
        most = std::max(most, of.Output(item, t, unit));
      }
      EXPECT_EQ(pooled[item * kWidth + unit], most);
      for (int64_t t = 0; t < of.steps.length(item); ++t) {
        const float expected =
            of.Output(item, t, unit) == most ? of.d_pooled[item * kWidth + unit] : 0.0f;
        EXPECT_EQ(d_outputs[(of.steps.first_row(t) + item) * kWidth + unit], expected);
      }
    }
  }
}

// A training that has diverged must show, wherever the NaN stands.
TEST(PoolingTest, NanReachesTheVector) {
  for (const Pooling kind : {Pooling::kMean, Pooling::kMax, Pooling::kAttention}) {
    for (const int64_t unit : {0, 33}) {
      for (const int64_t t : {0, 1, 3}) {
        PoolingCase of(kind);
        of.outputs[of.steps.first_row(t) * kWidth + unit] = std::numeric_limits<float>::quiet_NaN();
        EXPECT_TRUE(std::isnan(of.Forward()[unit])) << static_cast<int>(kind) << " " << t;
      }
    }
  }
}

// Scores whose exponentials are beyond floats: all of the attention is on one row.
TEST(PoolingTest, AttentionHoldsForScoresOfAnySize) {
  PoolingCase of(Pooling::kAttention);
  for (int64_t i = 0; i < kWidth; ++i) {
    of.parameters.value(of.parameters.Find("attention.vector"))[i] *= 1e5f;
  }
  const Floats pooled = of.Forward();
  for (int64_t item = 0; item < of.steps.items(); ++item) {
    int64_t same = 0;
    for (int64_t t = 0; t < of.steps.length(item); ++t) {
      same += of.Output(item, t, 0) == pooled[item * kWidth];
    }
    EXPECT_EQ(same, 1) << "item " << item;
  }
}

// What two readouts of the same outputs need.
TEST(PoolingTest, GradientsAreAddedOnRequest) {
  for (const Pooling kind : {Pooling::kMean, Pooling::kMax, Pooling::kAttention}) {
    PoolingCase of(kind);
    Floats written(of.outputs.size(), -9.0f);
    of.Forward();
    of.layer.Backward(of.d_pooled.data(), written.data(), false, of.state);
    Floats added(of.outputs.size(), 2.0f);
    of.Forward();
    of.layer.Backward(of.d_pooled.data(), added.data(), true, of.state);
    for (float& x : added) x -= 2.0f;
    EXPECT_THAT(added, Pointwise(FloatNear(1e-6f), written)) << static_cast<int>(kind);
  }
}

}  // namespace
}  // namespace lockstep::worker
