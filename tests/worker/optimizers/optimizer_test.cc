#include "worker/optimizers/optimizer.h"

#include <algorithm>
#include <cmath>
#include <deque>
#include <random>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/golden.h"
#include "tests/worker/model_case.h"

namespace lockstep::worker {
namespace {

using Floats = std::vector<float>;
using nlohmann::json;

// Our options for PyTorch's.
OptimizerOptions OptionsFor(const std::string& name, const json& o) {
  const double decay = o.value("weight_decay", 0.0), momentum = o.value("momentum", 0.0);
  if (name == "SGD") {
    return SgdOptions{momentum, o.value("dampening", 0.0), decay, o.value("nesterov", false)};
  }
  if (name == "RMSprop") {
    return RmsPropOptions{o.value("alpha", 0.99), o.value("eps", 1e-8), momentum, decay};
  }
  if (name == "Adagrad") {
    return AdagradOptions{o.value("lr_decay", 0.0), o.value("initial_accumulator_value", 0.0),
                          o.value("eps", 1e-10), decay};
  }
  const std::vector<double> betas = o.value("betas", std::vector<double>{0.9, 0.999});
  return AdamOptions{betas[0], betas[1], o.value("eps", 1e-8), decay, name == "AdamW"};
}

// float32 on both sides, a few roundings a step, five steps of weights up to 3.
MATCHER(NearlyEqual, "") {
  const auto [a, b] = arg;
  return std::abs(a - b) <= 3e-6f * std::max(1.0f, std::abs(b));
}

void ExpectAsPyTorch(const json& golden) {
  Floats weights = golden["start"];
  const auto size = static_cast<int64_t>(weights.size());
  Optimizer optimizer(OptionsFor(golden["name"], golden["options"]), size);
  for (const json& step : golden["steps"]) {
    optimizer.Step(weights, step["gradient"].get<Floats>(), step["learning_rate"]);
    ASSERT_THAT(weights, testing::Pointwise(NearlyEqual(), step["weights"].get<Floats>()))
        << "after step " << optimizer.steps();
  }
  ASSERT_EQ(optimizer.slots().size(), golden["state"].size());
  for (const Optimizer::Slot& slot : optimizer.slots()) {
    const float* first = slot.values.data();
    EXPECT_THAT(Floats(first, first + size),
                testing::Pointwise(NearlyEqual(), golden["state"].at(slot.name).get<Floats>()))
        << slot.name;
  }
}

TEST(OptimizerTest, FiveStepsAreAsPyTorchs) {
  ASSERT_EQ(Golden()["optimizers"].size(), 11u);
  for (const json& golden : Golden()["optimizers"]) {
    SCOPED_TRACE(golden["name"].get<std::string>() + " " + golden["options"].dump());
    ExpectAsPyTorch(golden);
  }
}

// Two steps, the slots and the number of steps moved to a new optimizer, and the rest there.
TEST(OptimizerTest, GoesOnFromItsSlotsAndSteps) {
  for (const json& golden : Golden()["optimizers"]) {
    SCOPED_TRACE(golden["name"].get<std::string>() + " " + golden["options"].dump());
    const OptimizerOptions options = OptionsFor(golden["name"], golden["options"]);
    Floats straight = golden["start"], stopped = straight;
    const auto size = static_cast<int64_t>(straight.size());
    Optimizer whole(options, size), first(options, size), second(options, size);
    for (size_t i = 0; i < golden["steps"].size(); ++i) {
      const json& step = golden["steps"][i];
      const Floats gradient = step["gradient"];
      if (i == 2) {
        second.set_steps(first.steps());
        for (size_t slot = 0; slot < first.slots().size(); ++slot) {
          std::copy_n(first.slots()[slot].values.data(), size, second.slots()[slot].values.data());
        }
      }
      whole.Step(straight, gradient, step["learning_rate"]);
      (i < 2 ? first : second).Step(stopped, gradient, step["learning_rate"]);
    }
    EXPECT_EQ(straight, stopped) << "bit for bit";
    EXPECT_EQ(second.steps(), 5);
  }
}

// Three optimizers of parts, the last one of two, come to what one comes to.
TEST(OptimizerTest, RangesAreUpdatedAsInTheWhole) {
  constexpr int64_t kBlock = kNormBlock, kSize = 5 * kBlock + 7;
  const std::vector<std::vector<ParameterRange>> parts = {
      {{2 * kBlock, 3 * kBlock}}, {}, {{0, 2 * kBlock}, {3 * kBlock, kSize}}};
  for (const json& golden : Golden()["optimizers"]) {
    SCOPED_TRACE(golden["name"].get<std::string>() + " " + golden["options"].dump());
    const OptimizerOptions options = OptionsFor(golden["name"], golden["options"]);
    std::mt19937 generator(3);
    Floats whole = UniformValues(generator, kSize, 1.0f), shared = whole;
    Optimizer alone(options, kSize);
    std::deque<Optimizer> several;
    for (const auto& ranges : parts) several.emplace_back(options, ranges);
    EXPECT_EQ(several[1].size(), 0);
    EXPECT_EQ(several[2].size(), 4 * kBlock + 7);
    for (int step = 0; step < 3; ++step) {
      const Floats gradient = UniformValues(generator, kSize, 2.0f);
      alone.Step(whole, gradient, 0.01, {0.5, 0.7});
      for (Optimizer& one : several) one.Step(shared, gradient, 0.01, {0.5, 0.7});
      ASSERT_EQ(whole, shared) << step;
    }
  }
}

// Plain loops of the same roundings, so the same bits: under every instruction set that these tests
// run under. Ranks of different processors keep the same weights.
class SameBitsTest : public testing::Test {
 protected:
  static constexpr int64_t kSize = 3 * 4096 + 5;

  void SetUp() override {
    std::mt19937 generator(2);
    weights_ = UniformValues(generator, kSize, 1.0f);
    gradient_ = UniformValues(generator, kSize, 2.0f);
    first_.assign(kSize, 0.0f);
    second_.assign(kSize, 0.0f);
  }

  /// `reference(i, g)` returns the new weight, g is the changed gradient.
  template <class Reference>
  void Expect(const OptimizerOptions& options, const Reference& reference) {
    Optimizer optimizer(options, kSize);
    Floats weights = weights_;
    for (int step = 0; step < 3; ++step) {
      steps_ = step + 1;
      optimizer.Step(weights, gradient_, 0.01, {.factor = 0.75, .limit = 1.25});
      for (int64_t i = 0; i < kSize; ++i) {
        const float g = std::clamp(gradient_[i] * 0.75f, -1.25f, 1.25f);
        weights_[i] = reference(i, g);
      }
      ASSERT_EQ(weights, weights_) << "after step " << steps_;
    }
  }

  Floats weights_, gradient_, first_, second_;
  int steps_ = 0;
};

TEST_F(SameBitsTest, Adam) {
  Expect(AdamOptions{.weight_decay = 0.1}, [this](int64_t i, float g) {
    const double root2 = std::sqrt(1.0 - std::pow(0.999, steps_));
    const auto step = static_cast<float>(0.01 / (1.0 - std::pow(0.9, steps_)) * root2);
    const auto epsilon = static_cast<float>(1e-8 * root2);
    g += 0.1f * weights_[i];
    first_[i] = 0.9f * first_[i] + static_cast<float>(1.0 - 0.9) * g;
    second_[i] = 0.999f * second_[i] + static_cast<float>(1.0 - 0.999) * (g * g);
    return weights_[i] - step * (first_[i] / (std::sqrt(second_[i]) + epsilon));
  });
}

TEST_F(SameBitsTest, Sgd) {
  Expect(SgdOptions{.momentum = 0.9, .weight_decay = 0.1, .nesterov = true},
         [this](int64_t i, float g) {
           g += 0.1f * weights_[i];
           first_[i] = 0.9f * first_[i] + 1.0f * g;
           return weights_[i] - 0.01f * (1.0f * g + 0.9f * first_[i]);
         });
}

TEST_F(SameBitsTest, RmsProp) {
  Expect(RmsPropOptions{.momentum = 0.9}, [this](int64_t i, float g) {
    first_[i] = 0.99f * first_[i] + static_cast<float>(1.0 - 0.99) * (g * g);
    second_[i] = g / (std::sqrt(first_[i]) + 1e-8f) + 0.9f * second_[i];
    return weights_[i] - 0.01f * second_[i];
  });
}

TEST_F(SameBitsTest, Adagrad) {
  Expect(AdagradOptions{}, [this](int64_t i, float g) {
    first_[i] += g * g;
    return weights_[i] - 0.01f * (g / (std::sqrt(first_[i]) + 1e-10f));
  });
}

TEST_F(SameBitsTest, Norm) {
  double squares = 0.0;
  for (int64_t begin = 0; begin < kSize; begin += 4096) {
    double sums[8] = {};
    for (int64_t i = begin; i < std::min<int64_t>(begin + 4096, kSize); ++i) {
      sums[i % 8] += static_cast<double>(gradient_[i]) * gradient_[i];
    }
    squares +=
        ((sums[0] + sums[1]) + (sums[2] + sums[3])) + ((sums[4] + sums[5]) + (sums[6] + sums[7]));
  }
  EXPECT_EQ(GlobalNorm(gradient_), std::sqrt(squares));
}

}  // namespace
}  // namespace lockstep::worker
