// Forward pass, states and gradients of whole models against PyTorch's.

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/golden.h"
#include "worker/models/initialization.h"
#include "worker/models/language_model.h"

namespace lockstep::worker {
namespace {

using Floats = std::vector<float>;
using testing::FloatNear;
using testing::Pointwise;

// The sizes in make_golden.py.
constexpr int64_t kTimeSteps = 5, kLanes = 3;

LanguageModelOptions OptionsFor(const std::string& cell) {
  const std::map<std::string, Cell> cells = {{"RNN_TANH", Cell::kRnnTanh},
                                             {"RNN_RELU", Cell::kRnnRelu},
                                             {"LSTM", Cell::kLstm},
                                             {"GRU", Cell::kGru}};
  return {.vocabulary_size = 7,
          .embedding_size = 5,
          .cell = cells.at(cell),
          .layers = 2,
          .hidden_size = 6};
}

// PyTorch's parameters are ours, one for one, in name, shape and order.
void LoadParameters(const nlohmann::json& golden, Parameters& parameters) {
  ASSERT_EQ(golden.size(), parameters.list().size());
  for (size_t i = 0; i < golden.size(); ++i) {
    ASSERT_EQ(golden[i]["name"], parameters.list()[i].name);
    ASSERT_EQ(golden[i]["shape"], parameters.list()[i].shape);
    std::ranges::copy(golden[i]["value"].get<Floats>(), parameters.value(static_cast<int>(i)));
  }
}

void ExpectAsPyTorch(const nlohmann::json& golden) {
  LanguageModel model(OptionsFor(golden["cell"]));
  ASSERT_NO_FATAL_FAILURE(LoadParameters(golden["parameters"], model.parameters()));
  RecurrentState state = model.ZeroState(kLanes);
  state.h = golden["h"].get<Floats>();
  if (golden.contains("c")) state.c = golden["c"].get<Floats>();
  const auto inputs = golden["inputs"].get<std::vector<int32_t>>();
  const auto targets = golden["targets"].get<std::vector<int32_t>>();
  const TokenBatch batch{kTimeSteps, kLanes, inputs.data(), targets.data()};
  const double loss = model.Forward(batch, state, {});
  model.Backward();

  // Both are float32 and round at different places: some 1e-7 a rounding, 5 time steps, 2 layers.
  EXPECT_NEAR(loss, golden["loss"], 1e-6 * loss);
  EXPECT_THAT(state.h, Pointwise(FloatNear(1e-6f), golden["final_h"].get<Floats>()));
  if (golden.contains("c")) {
    EXPECT_THAT(state.c, Pointwise(FloatNear(1e-6f), golden["final_c"].get<Floats>()));
  }
  for (size_t i = 0; i < golden["parameters"].size(); ++i) {
    const auto expected = golden["parameters"][i]["gradient"].get<Floats>();
    const auto by_size = [](float a, float b) { return std::abs(a) < std::abs(b); };
    const float largest = std::abs(*std::ranges::max_element(expected, by_size));
    const float* first = model.parameters().gradient(static_cast<int>(i));
    EXPECT_THAT(Floats(first, first + expected.size()),
                Pointwise(FloatNear(3e-6f * largest), expected))
        << model.parameters().list()[i].name;
  }
}

TEST(GoldenModelTest, ForwardAndGradientsAreAsPyTorchs) {
  ASSERT_EQ(Golden()["models"].size(), 4u);
  for (const auto& golden : Golden()["models"]) {
    SCOPED_TRACE(golden["cell"]);
    ExpectAsPyTorch(golden);
  }
}

// The numbers are other ones; the bounds and the spread of each parameter's draw are the same.
TEST(GoldenModelTest, InitializationIsDrawnAsPyTorchs) {
  LanguageModel model({.vocabulary_size = 100,
                       .embedding_size = 64,
                       .cell = Cell::kLstm,
                       .layers = 2,
                       .hidden_size = 100});
  Initialize(model.parameters(), {});
  const auto& list = model.parameters().list();
  ASSERT_EQ(Golden()["initialization"].size(), list.size());
  for (size_t i = 0; i < list.size(); ++i) {
    const auto& golden = Golden()["initialization"][i];
    SCOPED_TRACE(list[i].name);
    ASSERT_EQ(golden["name"], list[i].name);
    double largest = 0.0, squares = 0.0;
    for (int64_t j = 0; j < list[i].size; ++j) {
      const double x = model.parameters().value(static_cast<int>(i))[j];
      largest = std::max(largest, std::abs(x));
      squares += x * x;
    }
    const double n = static_cast<double>(list[i].size);
    // Two draws: standard error 0.45 / sqrt(n) each for the uniform ones, 0.71 / sqrt(n) normal.
    EXPECT_NEAR(std::sqrt(squares / n) / golden["root_mean_square"].get<double>(), 1.0,
                5.0 / std::sqrt(n));
    if (list[i].name == "embedding.weight") continue;  // no bound
    EXPECT_NEAR(largest / golden["largest"].get<double>(), 1.0, 10.0 / n + 1e-3);
  }
}

}  // namespace
}  // namespace lockstep::worker
