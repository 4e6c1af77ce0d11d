#include "worker/optimizers/optimizer.h"

#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/golden.h"

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

}  // namespace
}  // namespace lockstep::worker
