// Two layers that read sequences of unequal lengths both ways, against PyTorch's.

#include <algorithm>
#include <cmath>
#include <map>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/golden.h"
#include "tests/worker/layers/stack_case.h"

namespace lockstep::worker {
namespace {

using Floats = std::vector<float>;

// Both are float32 and round at different places: some 1e-7 a rounding, sums of tens of terms.
void ExpectNear(const Floats& values, const nlohmann::json& golden, const std::string& what) {
  const auto expected = golden.get<Floats>();
  const float largest = std::abs(
      *std::ranges::max_element(expected, {}, [](float value) { return std::abs(value); }));
  EXPECT_THAT(values,
              testing::Pointwise(testing::FloatNear(3e-6f * std::max(largest, 1.0f)), expected))
      << what;
}

void ExpectAsPyTorch(const nlohmann::json& golden, StackOptions options,
                     const std::vector<int64_t>& lengths) {
  const std::map<std::string, Cell> cells = {
      {"RNN_TANH", Cell::kRnnTanh}, {"LSTM", Cell::kLstm}, {"GRU", Cell::kGru}};
  options.cell = cells.at(golden["cell"]);
  options.input_size = 3;
  options.hidden_size = options.cell_size > 0 ? 2 : 4;
  StackCase x(options, lengths);
  const auto& parameters = golden["parameters"];
  ASSERT_EQ(parameters.size(), x.parameters.list().size());
  for (size_t i = 0; i < parameters.size(); ++i) {
    ASSERT_EQ(parameters[i]["name"], x.parameters.list()[i].name);
    ASSERT_EQ(parameters[i]["shape"], x.parameters.list()[i].shape);
    std::ranges::copy(parameters[i]["value"].get<Floats>(),
                      x.parameters.value(static_cast<int>(i)));
  }
  x.x = golden["x"].get<Floats>();
  x.d_output = golden["d_output"].get<Floats>();
  for (auto& part : x.initial.parts()) part.values = golden[part.name]["initial"].get<Floats>();
  for (auto& part : x.d_final.parts()) part.values = golden[part.name]["d_final"].get<Floats>();

  StackPass pass = x.Run(nullptr);
  ExpectNear(pass.outputs, golden["outputs"], "outputs");
  ExpectNear(pass.d_x, golden["d_x"], "d_x");
  for (auto& part : pass.final_state.parts()) {
    ExpectNear(part.values, golden[part.name]["final"], part.name);
  }
  for (auto& part : pass.d_initial.parts()) {
    ExpectNear(part.values, golden[part.name]["d_initial"], std::string("d_") + part.name);
  }
  for (size_t i = 0; i < parameters.size(); ++i) {
    const float* first = x.parameters.gradient(static_cast<int>(i));
    ExpectNear({first, first + x.parameters.list()[i].size}, parameters[i]["gradient"],
               parameters[i]["name"]);
  }
}

TEST(StackGoldenTest, PackedSequencesBothWaysAreAsPyTorchs) {
  ASSERT_EQ(GoldenPacked()["layers"].size(), 3u);
  StackOptions options;
  options.layers = 2;
  options.bidirectional = true;
  for (const auto& golden : GoldenPacked()["layers"]) {
    SCOPED_TRACE(golden["cell"]);
    ExpectAsPyTorch(golden, options, GoldenPacked()["lengths"].get<std::vector<int64_t>>());
  }
}

TEST(StackGoldenTest, ProjectionsAreAsPyTorchs) {
  StackOptions options;
  options.layers = 2;
  options.bidirectional = true;
  options.cell_size = 4;
  ExpectAsPyTorch(GoldenPacked()["projected"], options,
                  GoldenPacked()["lengths"].get<std::vector<int64_t>>());
}

TEST(StackGoldenTest, LayerNormalisationIsAsPyTorchs) {
  StackOptions options;
  options.layers = 1;
  options.layer_norm = true;
  const auto& golden = GoldenPacked()["layer_norm"];
  ExpectAsPyTorch(golden, options, golden["lengths"].get<std::vector<int64_t>>());
}

}  // namespace
}  // namespace lockstep::worker
