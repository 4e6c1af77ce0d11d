#include "worker/layers/recurrent_layer.h"

#include <algorithm>
#include <random>
#include <span>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/model_case.h"
#include "tests/worker/onednn_layers.h"

// All cells against a reference: language_model_gradient_test, golden_model_test.

namespace lockstep::worker {
namespace {

using testing::FloatNear;
using testing::Pointwise;

void SetValues(Parameters& parameters, const char* name, const std::vector<float>& values) {
  const int index = parameters.Find(name);
  ASSERT_EQ(values.size(), static_cast<size_t>(parameters.list()[index].size)) << name;
  std::ranges::copy(values, parameters.value(index));
}

std::vector<float> Gradient(Parameters& parameters, const char* name) {
  const int index = parameters.Find(name);
  const float* first = parameters.gradient(index);
  return {first, first + parameters.list()[index].size};
}

// The RNN that textbooks compute by hand, with its published numbers: state = tanh(state W + x w +
// b) with row vectors, so W is transposed here.
TEST(RecurrentLayerTest, TextbookExample) {
  Parameters parameters;
  RecurrentLayer layer(Cell::kRnnTanh, 1, 2, 0, "rnn.", parameters);
  parameters.Allocate();
  SetValues(parameters, "rnn.weight_hh_l0", {0.1f, 0.3f, 0.2f, 0.4f});
  SetValues(parameters, "rnn.weight_ih_l0", {0.5f, 0.6f});
  SetValues(parameters, "rnn.bias_ih_l0", {0.1f, -0.1f});
  const float x[] = {1.0f, 2.0f}, output_weights[] = {1.0f, 2.0f}, output_bias[] = {0.1f};
  float h[] = {0.0f, 0.0f}, output[2];
  const float* states = layer.Forward(PackedSteps::Uniform(2, 1), x, {h, nullptr});
  MatMul(2, 1, 2, {states, 2}, {output_weights, 1}, output, 1, false, output_bias);
  // Eight published digits, less the roundings of float32.
  EXPECT_THAT(std::vector<float>(states, states + 4),
              Pointwise(FloatNear(3e-7f), {0.53704957f, 0.46211716f, 0.85973818f, 0.88366641f}));
  EXPECT_THAT(output, Pointwise(FloatNear(1e-6f), {1.56128388f, 2.72707101f}));
  EXPECT_EQ(h[0], states[2]);
  EXPECT_EQ(h[1], states[3]);
}

// An LSTM layer of ours and oneDNN's own, with the same parameters and input.
class OnednnComparison : public testing::TestWithParam<int64_t> {
 protected:
  static constexpr int64_t T = 7, B = 5, I = 13;
  const int64_t H = GetParam();

  OnednnComparison()
      : layer_(Cell::kLstm, I, H, 0, "rnn.", parameters_), onednn_({Cell::kLstm, 1, T, B, I, H}) {
    parameters_.Allocate();
    const auto values = UniformValues(generator_, parameters_.size(), 0.5f);
    std::ranges::copy(values, parameters_.values().begin());
    const float* bias_ih = parameters_.value(parameters_.Find("rnn.bias_ih_l0"));
    const float* bias_hh = parameters_.value(parameters_.Find("rnn.bias_hh_l0"));
    std::vector<float> bias(4 * H);
    for (int64_t j = 0; j < 4 * H; ++j) bias[j] = bias_ih[j] + bias_hh[j];
    onednn_.SetWeights(parameters_.value(parameters_.Find("rnn.weight_ih_l0")),
                       parameters_.value(parameters_.Find("rnn.weight_hh_l0")), bias.data());
  }

  std::mt19937 generator_{1};
  Parameters parameters_;
  RecurrentLayer layer_;
  OnednnLayers onednn_;
};

TEST_P(OnednnComparison, LstmForwardAndBackward) {
  const auto x = UniformValues(generator_, T * B * I, 1.0f);
  const auto d_output = UniformValues(generator_, T * B * H, 1.0f);
  auto h = UniformValues(generator_, B * H, 0.8f), c = UniformValues(generator_, B * H, 0.8f);
  auto their_h = h, their_c = c;
  const float* outputs = layer_.Forward(PackedSteps::Uniform(T, B), x.data(), {h.data(), c.data()});
  const float* theirs = onednn_.Forward(x.data(), their_h.data(), their_c.data());
  // Both float32; the functions' last digits differ.
  EXPECT_THAT(std::span(outputs, T * B * H),
              Pointwise(FloatNear(2e-6f), std::span(theirs, T * B * H)));
  EXPECT_THAT(h, Pointwise(FloatNear(2e-6f), their_h));
  EXPECT_THAT(c, Pointwise(FloatNear(2e-6f), their_c));

  std::vector<float> d_x(T * B * I);
  layer_.Backward(x.data(), d_output.data(), d_x.data());
  onednn_.Backward(d_output.data());
  const OnednnLayers::Gradients expected = onednn_.gradients();
  // Sums of 35 rows and 84 gates of values of about 1.
  const auto near = FloatNear(2e-5f);
  EXPECT_THAT(d_x, Pointwise(near, expected.input));
  EXPECT_THAT(Gradient(parameters_, "rnn.weight_ih_l0"), Pointwise(near, expected.weights_ih));
  EXPECT_THAT(Gradient(parameters_, "rnn.weight_hh_l0"), Pointwise(near, expected.weights_hh));
  EXPECT_THAT(Gradient(parameters_, "rnn.bias_ih_l0"), Pointwise(near, expected.bias));
  EXPECT_THAT(Gradient(parameters_, "rnn.bias_hh_l0"), Pointwise(near, expected.bias));
}

// 64 units make rows of gates that stand apart in memory.
INSTANTIATE_TEST_SUITE_P(Units, OnednnComparison, testing::Values(21, 64));

class EveryCell : public testing::TestWithParam<Cell> {};

// Gradients are added to what is there, and need not go on to the input.
TEST_P(EveryCell, BackwardAddsToTheGradient) {
  const int64_t T = 4, B = 3, I = 5, H = 11;
  Parameters parameters;
  RecurrentLayer layer(GetParam(), I, H, 0, "rnn.", parameters);
  parameters.Allocate();
  std::mt19937 generator(1);
  std::ranges::copy(UniformValues(generator, parameters.size(), 0.5f), parameters.values().begin());
  const auto x = UniformValues(generator, T * B * I, 1.0f);
  const auto d_output = UniformValues(generator, T * B * H, 1.0f);
  const auto run = [&](float* d_x) {
    std::vector<float> h(B * H, 0.1f), c(B * H, 0.1f);
    layer.Forward(PackedSteps::Uniform(T, B), x.data(), {h.data(), c.data()});
    layer.Backward(x.data(), d_output.data(), d_x);
  };
  std::vector<float> d_x(T * B * I);
  run(d_x.data());
  const std::vector<float> once(parameters.gradient().begin(), parameters.gradient().end());
  run(nullptr);
  for (int64_t i = 0; i < parameters.size(); ++i) {
    ASSERT_NEAR(parameters.gradient()[i], 2.0f * once[i], 1e-5) << i;
  }
}

// What a pass leaves: outputs [T, B, H], and gradients of the input, the parameters and the initial
// state.
struct OnePass {
  std::vector<float> outputs, d_x, gradient, d_h, d_c;
};

constexpr int64_t kInputs = 5, kUnits = 11, kLanes = 3;

// One pass forward and back over x [T, B, I] and d_output [T, B, H], or none.
OnePass RunLayer(RecurrentLayer& layer, Parameters& parameters, std::span<const float> x,
                 std::span<const float> d_output, LayerState state, const float* d_h_final,
                 const float* d_c_final) {
  const int64_t T = std::ssize(x) / (kLanes * kInputs);
  OnePass pass;
  const float* outputs = layer.Forward(PackedSteps::Uniform(T, kLanes), x.data(), state);
  pass.outputs.assign(outputs, outputs + T * kLanes * kUnits);
  pass.d_x.resize(x.size());
  pass.d_h.resize(kLanes * kUnits);
  pass.d_c.resize(kLanes * kUnits);
  std::ranges::fill(parameters.gradient(), 0.0f);
  layer.Backward(x.data(), d_output.empty() ? nullptr : d_output.data(), pass.d_x.data(),
                 {d_h_final, d_c_final, pass.d_h.data(), pass.d_c.data()});
  pass.gradient.assign(parameters.gradient().begin(), parameters.gradient().end());
  return pass;
}

struct OneLayer {
  OneLayer(Cell cell, Direction direction)
      : layer(cell, kInputs, kUnits, 0, "rnn.", parameters, direction) {
    parameters.Allocate();
    std::mt19937 generator(1);
    std::ranges::copy(UniformValues(generator, parameters.size(), 0.5f),
                      parameters.values().begin());
  }
  Parameters parameters;
  RecurrentLayer layer;
  std::vector<float> h = std::vector<float>(kLanes * kUnits, 0.1f), c = h;
  LayerState state() { return {h.data(), c.data()}; }
};

TEST_P(EveryCell, StateGradientsJoinPiecesOfTime) {
  constexpr int64_t kSteps = 6, kFirst = 2, kRow = kLanes * kInputs, kOut = kLanes * kUnits;
  std::mt19937 generator(2);
  const auto x = UniformValues(generator, kSteps * kRow, 1.0f);
  const auto d_output = UniformValues(generator, kSteps * kOut, 1.0f);
  const auto d_h = UniformValues(generator, kOut, 1.0f), d_c = UniformValues(generator, kOut, 1.0f);
  OneLayer whole(GetParam(), Direction::kForward), pieces(GetParam(), Direction::kForward);
  const OnePass all =
      RunLayer(whole.layer, whole.parameters, x, d_output, whole.state(), d_h.data(), d_c.data());
  // Two layers of the same parameters, as a model of two passes has them.
  RecurrentLayer second = RecurrentLayer::Sharing(pieces.layer);
  const float* outputs =
      pieces.layer.Forward(PackedSteps::Uniform(kFirst, kLanes), x.data(), pieces.state());
  const std::vector<float> early(outputs, outputs + kFirst * kOut);
  const OnePass late =
      RunLayer(second, pieces.parameters, std::span(x).subspan(kFirst * kRow),
               std::span(d_output).subspan(kFirst * kOut), pieces.state(), d_h.data(), d_c.data());
  std::vector<float> d_x(kFirst * kRow), d_h_initial(kOut), d_c_initial(kOut);
  pieces.layer.Backward(x.data(), d_output.data(), d_x.data(),
                        {late.d_h.data(), late.d_c.data(), d_h_initial.data(), d_c_initial.data()});
  const auto near = FloatNear(1e-5f);
  EXPECT_EQ(pieces.h, whole.h);
  EXPECT_THAT(early, Pointwise(near, std::span(all.outputs).first(kFirst * kOut)));
  EXPECT_THAT(d_x, Pointwise(near, std::span(all.d_x).first(kFirst * kRow)));
  EXPECT_THAT(late.d_x, Pointwise(near, std::span(all.d_x).subspan(kFirst * kRow)));
  EXPECT_THAT(d_h_initial, Pointwise(near, all.d_h));
  EXPECT_THAT(d_c_initial, Pointwise(near, all.d_c));
  EXPECT_THAT(pieces.parameters.gradient(), Pointwise(near, all.gradient));
  EXPECT_THAT(all.d_h, testing::Contains(testing::Gt(0.01f)));
}

// [T, row] from the last time step to the first.
std::vector<float> Reversed(const std::vector<float>& values, int64_t row) {
  std::vector<float> reversed;
  for (auto end = values.end(); end != values.begin(); end -= row) {
    reversed.insert(reversed.end(), end - row, end);
  }
  return reversed;
}

TEST_P(EveryCell, ReverseIsForwardOfReversedTime) {
  constexpr int64_t kSteps = 5, kRow = kLanes * kInputs, kOut = kLanes * kUnits;
  std::mt19937 generator(3);
  const auto x = UniformValues(generator, kSteps * kRow, 1.0f);
  const auto d_output = UniformValues(generator, kSteps * kOut, 1.0f);
  OneLayer forward(GetParam(), Direction::kForward), reverse(GetParam(), Direction::kReverse);
  EXPECT_EQ(reverse.parameters.list()[1].name, "rnn.weight_hh_l0_reverse");
  const OnePass expected = RunLayer(forward.layer, forward.parameters, Reversed(x, kRow),
                                    Reversed(d_output, kOut), forward.state(), nullptr, nullptr);
  const OnePass pass =
      RunLayer(reverse.layer, reverse.parameters, x, d_output, reverse.state(), nullptr, nullptr);
  // A product may round a row by its place among the others.
  const auto near = FloatNear(1e-5f);
  EXPECT_THAT(reverse.h, Pointwise(near, forward.h));
  EXPECT_THAT(pass.outputs, Pointwise(near, Reversed(expected.outputs, kOut)));
  EXPECT_THAT(pass.d_h, Pointwise(near, expected.d_h));
  EXPECT_THAT(pass.d_x, Pointwise(near, Reversed(expected.d_x, kRow)));
  EXPECT_THAT(pass.gradient, Pointwise(near, expected.gradient));
}

// No gradient of outputs at all is one of zeros.
TEST_P(EveryCell, NoOutputGradientIsZeros) {
  constexpr int64_t kSteps = 4, kOut = kLanes * kUnits;
  std::mt19937 generator(4);
  const auto x = UniformValues(generator, kSteps * kLanes * kInputs, 1.0f);
  const auto d_h = UniformValues(generator, kOut, 1.0f);
  OneLayer with(GetParam(), Direction::kForward), without(GetParam(), Direction::kForward);
  const std::vector<float> zeros(kSteps * kOut, 0.0f);
  const OnePass expected =
      RunLayer(with.layer, with.parameters, x, zeros, with.state(), d_h.data(), nullptr);
  const OnePass pass =
      RunLayer(without.layer, without.parameters, x, {}, without.state(), d_h.data(), nullptr);
  EXPECT_EQ(pass.gradient, expected.gradient);
  EXPECT_EQ(pass.d_h, expected.d_h);
}

// Of a million equal rows one token's gradient is a million times the first; one float32 sum would
// make 0.96% more of it.
TEST(TableGradientTest, IsRightForManyRows) {
  const int64_t B = 1'000'000;
  Parameters parameters;
  RecurrentLayer layer(Cell::kRnnTanh, 1, 1, 0, "rnn.", parameters);
  parameters.Allocate();
  const std::vector<int32_t> tokens(B, 0);
  const std::vector<float> d_output(B, 0.1f);
  std::vector<float> h(B, 0.0f);
  layer.ForwardTokens(PackedSteps::Uniform(1, B), tokens.data(), {1}, {h.data(), nullptr});
  layer.BackwardTokens(tokens.data(), {1}, d_output.data());
  const double expected = 0.1f * static_cast<double>(B);
  EXPECT_NEAR(Gradient(parameters, "rnn.weight_ih_l0")[0], expected, 2e-4 * expected);
  EXPECT_NEAR(Gradient(parameters, "rnn.bias_ih_l0")[0], expected, 1e-5 * expected);
}

INSTANTIATE_TEST_SUITE_P(All, EveryCell, testing::ValuesIn(AllCells()),
                         [](const auto& test) { return CellName(test.param); });

}  // namespace
}  // namespace lockstep::worker
