#include "worker/layers/stack.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <span>
#include <string>
#include <tuple>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/central_difference.h"
#include "tests/worker/layers/stack_case.h"
#include "tests/worker/model_case.h"
#include "worker/products/gemm.h"
#include "worker/threads.h"

namespace lockstep::worker {
namespace {

using testing::FloatNear;
using testing::Pointwise;
using Doubles = std::vector<double>;

const std::vector<int64_t> kUneven = {6, 4, 4, 2, 1}, kEven = {4, 4, 4};
const int64_t kNumbers[] = {40, 7, 1000003, 8, 2};  // of the items
const DropoutSite kSite{
    .seed = 0xFEDCBA9876543210, .batch = 0x1200000034, .layer = 3, .lanes = kNumbers};

// Some 1e-7 a rounding; values are below 2, gradients sums of up to some tens of terms.
constexpr float kNear = 1e-5f;

StackOptions OptionsOf(Cell cell, bool bidirectional) {
  return {.cell = cell,
          .input_size = 5,
          .hidden_size = 11,
          .layers = 3,
          .dropout = 0.3,
          .bidirectional = bidirectional,
          .residual = true};
}

void ExpectNear(const std::vector<float>& values, const Doubles& expected, const char* what) {
  ASSERT_EQ(values.size(), expected.size()) << what;
  for (size_t i = 0; i < values.size(); ++i) {
    ASSERT_NEAR(values[i], expected[i], kNear) << what << " " << i;
  }
}

// The gradient of `part`, which the reference reads, along a random direction of each of `ranges`;
// float32 sums of tens of terms of either sign.
void ExpectSlope(StackCase& x, const DropoutSite* site, Doubles& part,
                 std::span<const float> gradient, std::span<const Parameter> ranges) {
  std::mt19937 generator(5);
  for (const Parameter& range : ranges) {
    Doubles direction(part.size(), 0.0);
    double slope = 0.0, sum = 0.0;
    const auto values = UniformValues(generator, range.size, 1.0f);
    for (int64_t i = 0; i < range.size; ++i) {
      direction[range.offset + i] = values[i];
      const double term = static_cast<double>(values[i]) * gradient[range.offset + i];
      slope += term;
      sum += std::abs(term);
    }
    const double expected =
        CentralDifference(part, direction, [&] { return x.ReferenceLoss(site); });
    EXPECT_NEAR(slope, expected, 3e-6 * sum) << range.name;
  }
}

void ExpectSlope(StackCase& x, const DropoutSite* site, Doubles& part,
                 const std::vector<float>& gradient, const char* what) {
  ASSERT_EQ(part.size(), gradient.size()) << what;
  Parameter whole;
  whole.name = what;
  whole.size = std::ssize(part);
  ExpectSlope(x, site, part, gradient, {&whole, 1});
}

void ExpectAsReference(StackCase& x, const DropoutSite* site, const StackPass& pass) {
  Doubles outputs, final_h, final_c;
  x.ReferenceLoss(site, &outputs, &final_h, &final_c);
  ExpectNear(pass.outputs, outputs, "outputs");
  ExpectNear(pass.final_state.h, final_h, "final h");
  ExpectNear(pass.final_state.c, final_c, "final c");
  ExpectSlope(x, site, x.reference_x, pass.d_x, "x");
  ExpectSlope(x, site, x.reference_h, pass.d_initial.h, "initial h");
  if (!pass.d_initial.c.empty()) ExpectSlope(x, site, x.reference_c, pass.d_initial.c, "initial c");
  ExpectSlope(x, site, x.values, pass.gradient, x.parameters.list());
}

void ExpectSame(const StackPass& pass, const StackPass& expected) {
  const auto near = FloatNear(kNear);
  EXPECT_THAT(pass.outputs, Pointwise(near, expected.outputs));
  EXPECT_THAT(pass.final_state.h, Pointwise(near, expected.final_state.h));
  EXPECT_THAT(pass.final_state.c, Pointwise(near, expected.final_state.c));
  EXPECT_THAT(pass.d_x, Pointwise(near, expected.d_x));
  EXPECT_THAT(pass.d_initial.h, Pointwise(near, expected.d_initial.h));
  EXPECT_THAT(pass.d_initial.c, Pointwise(near, expected.d_initial.c));
  EXPECT_THAT(pass.gradient, Pointwise(FloatNear(3 * kNear), expected.gradient));
}

void ExpectTokensAsVectors(const StackOptions& options) {
  StackCase x(options, kUneven);
  const int64_t I = x.options.input_size, V = 4;
  std::mt19937 generator(3);
  const auto vectors = UniformValues(generator, V * I, 1.0f);
  std::vector<float> d_vectors(V * I, 0.0f), expected(V * I, 0.0f);
  std::vector<int32_t> tokens;
  for (int64_t row = 0; row < x.steps.rows(); ++row) {
    tokens.push_back(static_cast<int32_t>(generator() % V));
    std::copy_n(vectors.begin() + tokens.back() * I, I, x.x.begin() + row * I);
  }
  const StackPass pass = x.Run(&kSite);
  for (int64_t i = 0; i < std::ssize(pass.d_x); ++i) {
    expected[tokens[i / I] * I + i % I] += pass.d_x[i];
  }
  std::ranges::fill(x.parameters.gradient(), 0.0f);
  RecurrentState state = x.initial, d_initial = x.initial;
  const StackInput input = {.tokens = tokens.data(),
                            .vectors = {V, vectors.data(), d_vectors.data()}};
  const float* y = x.stack.Forward(x.steps, input, state, &kSite);
  EXPECT_THAT(std::span(y, pass.outputs.size()), Pointwise(FloatNear(kNear), pass.outputs));
  std::ranges::copy(x.d_output, x.stack.d_output());
  EXPECT_EQ(x.stack.Backward({&x.d_final, &d_initial}), nullptr);
  EXPECT_THAT(x.parameters.gradient(), Pointwise(FloatNear(3 * kNear), pass.gradient));
  EXPECT_THAT(d_vectors, Pointwise(FloatNear(3 * kNear), expected));
  EXPECT_THAT(d_initial.h, Pointwise(FloatNear(kNear), pass.d_initial.h));
}

class EveryStack : public testing::TestWithParam<std::tuple<Cell, bool>> {
 protected:
  StackOptions Options() const {
    return OptionsOf(std::get<0>(GetParam()), std::get<1>(GetParam()));
  }
};

TEST_P(EveryStack, ValuesAndGradientsAreTheReferences) {
  for (const auto& lengths : {kUneven, kEven}) {
    StackCase x(Options(), lengths);
    ExpectAsReference(x, &kSite, x.Run(&kSite));
    ExpectAsReference(x, nullptr, x.Run(nullptr));
  }
}

// Variational dropout, its own probabilities at both ends, and DropConnect.
StackOptions WithRegularisation(StackOptions options) {
  options.output_dropout = 0.45;
  options.input_dropout = 0.2;
  options.locked_dropout = true;
  options.weight_drop = 0.35;
  return options;
}

TEST_P(EveryStack, RegularisationIsTheReferences) {
  for (const auto& lengths : {kUneven, kEven}) {
    StackCase x(WithRegularisation(Options()), lengths);
    const StackPass pass = x.Run(&kSite);
    ExpectAsReference(x, &kSite, pass);
    ExpectAsReference(x, nullptr, x.Run(nullptr));  // as an evaluation: all weights
    EXPECT_EQ(x.Run(&kSite).gradient, pass.gradient) << "not as before an evaluation";
  }
}

TEST_P(EveryStack, LayerNormalisationIsTheReferences) {
  StackOptions options = Options();
  options.layer_norm = true;
  for (const auto& lengths : {kUneven, kEven}) {
    StackCase x(options, lengths);
    ExpectAsReference(x, &kSite, x.Run(&kSite));
  }
}

// Of the cells that can be projected, with everything else that may be on.
TEST_P(EveryStack, ProjectionIsTheReferences) {
  if (!FactsOf(Options().cell).has_c) return;  // not of these cells
  for (const bool layer_norm : {false, true}) {
    StackOptions options = WithRegularisation(Options());
    options.cell_size = 16;
    options.layer_norm = layer_norm;
    for (const auto& lengths : {kUneven, kEven}) {
      StackCase x(options, lengths);
      ExpectAsReference(x, &kSite, x.Run(&kSite));
    }
  }
}

// The same item alone, with its number: its mask, its values and its share of the gradients.
TEST_P(EveryStack, AnItemDoesNotDependOnWhatElseIsInTheBatch) {
  StackCase all(Options(), kUneven);
  const StackPass pass = all.Run(&kSite);
  StackPass sum = pass;
  for (auto* values : {&sum.outputs, &sum.d_x, &sum.gradient, &sum.final_state.h,
                       &sum.final_state.c, &sum.d_initial.h, &sum.d_initial.c}) {
    std::ranges::fill(*values, 0.0f);
  }
  const int64_t B = all.steps.items();
  const auto put = [&](const std::vector<float>& own, int64_t item, std::vector<float>& values) {
    const int64_t H = all.options.hidden_size;
    for (int64_t i = 0; i < std::ssize(own); ++i) values[(i / H * B + item) * H + i % H] = own[i];
  };
  const auto put_rows = [&](const std::vector<float>& own, int64_t item, int64_t width,
                            std::vector<float>& values) {
    for (int64_t i = 0; i < std::ssize(own); ++i) {
      values[(all.steps.first_row(i / width) + item) * width + i % width] = own[i];
    }
  };
  for (int64_t item = 0; item < B; ++item) {
    DropoutSite site = kSite;
    site.lanes = nullptr;
    site.first_lane = kNumbers[item];
    const StackPass own = all.Item(item)->Run(&site);
    put_rows(own.outputs, item, all.options.output_size(), sum.outputs);
    put_rows(own.d_x, item, all.options.input_size, sum.d_x);
    put(own.final_state.h, item, sum.final_state.h);
    put(own.final_state.c, item, sum.final_state.c);
    put(own.d_initial.h, item, sum.d_initial.h);
    put(own.d_initial.c, item, sum.d_initial.c);
    for (size_t i = 0; i < own.gradient.size(); ++i) sum.gradient[i] += own.gradient[i];
  }
  ExpectSame(pass, sum);
}

// Without a gradient from the outputs and without outputs, the state alone.
// Lanes enough for each of three threads to go through time with some of its own.
TEST_P(EveryStack, ThreadsShareTheLanes) {
  const auto [cell, bidirectional] = GetParam();
  StackOptions options = OptionsOf(cell, bidirectional);
  const std::vector<int64_t> lengths(28, 5);
  const int threads_before = DefaultThreads();
  const auto expect = [&] {
    SetThreads(1);
    const StackPass alone = StackCase(options, lengths).Run(nullptr);
    for (const int threads : {2, 3}) {
      SetThreads(threads);
      const StackPass pass = StackCase(options, lengths).Run(nullptr);
      const auto near = [](const std::vector<float>& x) { return Pointwise(FloatNear(kNear), x); };
      EXPECT_THAT(pass.outputs, near(alone.outputs));
      EXPECT_THAT(pass.final_state.h, near(alone.final_state.h));
      EXPECT_THAT(pass.final_state.c, near(alone.final_state.c));
      EXPECT_THAT(pass.d_x, near(alone.d_x));
      EXPECT_THAT(pass.d_initial.h, near(alone.d_initial.h));
      EXPECT_THAT(pass.d_initial.c, near(alone.d_initial.c));
      EXPECT_THAT(pass.gradient, Pointwise(FloatNear(3 * kNear), alone.gradient));
    }
  };
  expect();
  if (FactsOf(cell).has_c) {
    options.cell_size = std::exchange(options.hidden_size, 7);
    expect();
  }
  SetThreads(threads_before);
}

TEST_P(EveryStack, StateOnlyIsAPassWithoutOutputGradient) {
  StackCase x(Options(), kUneven);
  const StackPass state_only = x.Run(&kSite, RecurrentStack::Read::kStateOnly);
  EXPECT_TRUE(state_only.outputs.empty());
  std::ranges::fill(x.d_output, 0.0f);
  StackPass whole = x.Run(&kSite);
  whole.outputs.clear();
  ExpectSame(state_only, whole);
}

TEST_P(EveryStack, TokensAreTheVectorsTheyStandFor) {
  ExpectTokensAsVectors(Options());
  StackOptions options = Options();
  options.layer_norm = true;
  ExpectTokensAsVectors(options);
}

INSTANTIATE_TEST_SUITE_P(All, EveryStack,
                         testing::Combine(testing::ValuesIn(AllCells()), testing::Bool()),
                         [](const auto& test) {
                           return CellName(std::get<0>(test.param)) +
                                  (std::get<1>(test.param) ? "_both" : "_forward");
                         });

class EveryCellOfStack : public testing::TestWithParam<Cell> {};

TEST_P(EveryCellOfStack, StepByStepIsTheWholePassWithLayerNormalisation) {
  StackOptions options = OptionsOf(GetParam(), false);
  options.layer_norm = true;
  StackCase x(options, kUneven), steps(options, kUneven);
  ExpectSame(steps.RunSteps(&kSite), x.Run(&kSite));
}

TEST_P(EveryCellOfStack, StepByStepIsTheWholePassWithAProjection) {
  StackOptions options = OptionsOf(GetParam(), false);
  if (!FactsOf(options.cell).has_c) return;
  options.cell_size = 16;
  for (const auto& lengths : {kUneven, kEven}) {
    StackCase x(options, lengths), steps(options, lengths);
    ExpectSame(steps.RunSteps(&kSite), x.Run(&kSite));
  }
}

TEST_P(EveryCellOfStack, StepByStepIsTheWholePass) {
  for (const auto& lengths : {kUneven, kEven}) {
    for (const bool residual : {false, true}) {
      StackOptions options = OptionsOf(GetParam(), false);
      options.residual = residual;
      StackCase x(residual ? options : WithRegularisation(options), lengths);
      for (const DropoutSite* site : {&kSite, static_cast<const DropoutSite*>(nullptr)}) {
        SCOPED_TRACE(testing::Message()
                     << lengths.size() << " items" << (residual ? ", residual" : "")
                     << (site ? ", dropout" : ""));
        // Another stack, which knows nothing from the whole pass.
        StackCase steps(x.options, lengths);
        ExpectSame(steps.RunSteps(site), x.Run(site));
      }
    }
  }
}

// Rows that leave, each step by itself, as a search makes them: without dropout the numbers of the
// whole pass.
TEST_P(EveryCellOfStack, SingleStepsAreTheWholePass) {
  const bool has_c = FactsOf(GetParam()).has_c;
  for (const auto& [layer_norm, cell_size] :
       {std::pair<bool, int64_t>{false, 0}, {true, 0}, {false, has_c ? 16 : 0}}) {
    StackOptions options = OptionsOf(GetParam(), false);
    options.layer_norm = layer_norm;
    options.cell_size = cell_size;
    StackCase x(options, kUneven);
    const StackPass whole = x.Run(nullptr);
    const int64_t H = options.hidden_size, L = options.layers;
    RecurrentState state = x.initial;
    x.stack.BeginSingleSteps();
    for (int64_t t = 0; t < x.steps.time_steps(); ++t) {
      const int64_t rows = x.steps.items_at(t), first = x.steps.first_row(t);
      RecurrentState going = x.stack.ZeroState(rows);
      for (size_t part = 0; part < going.parts().size(); ++part) {
        for (int64_t layer = 0; layer < L; ++layer) {
          const auto& values = state.parts()[part].values;
          const int64_t width = state.width(values);
          std::copy_n(values.begin() + layer * state.lanes * width, rows * width,
                      going.parts()[part].values.begin() + layer * rows * width);
        }
      }
      state = going;
      const float* y = x.stack.SingleStep(rows, x.x.data() + first * options.input_size, state);
      EXPECT_THAT(
          std::span(y, rows * H),
          Pointwise(FloatNear(kNear), std::span(whole.outputs).subspan(first * H, rows * H)))
          << "time step " << t << (layer_norm ? ", normalised" : "") << ", cell " << cell_size;
    }
  }
}

INSTANTIATE_TEST_SUITE_P(All, EveryCellOfStack, testing::ValuesIn(AllCells()),
                         [](const auto& test) { return CellName(test.param); });

// Whatever the number of rows, none of the products is left to reference code.
TEST(StackTest, NeverUsesReferenceCode) {
  int64_t any_rows = 0;
  ObserveProducts([&](const ProductShape& shape, const std::string& engine) {
    any_rows += shape.packed && shape.m == 0;
    EXPECT_FALSE(IsReferenceEngine(engine)) << engine;
  });
  for (const bool bidirectional : {false, true}) {
    for (const int64_t hidden : {7, 64, 200}) {
      StackOptions reset = OptionsOf(Cell::kGruResetBefore, bidirectional);
      StackOptions projected = OptionsOf(Cell::kLstmPeephole, bidirectional);
      reset.hidden_size = projected.hidden_size = hidden;
      projected.cell_size = 2 * hidden;
      for (const StackOptions& options : {reset, projected}) {
        for (const auto& lengths : {kUneven, kEven}) {
          StackCase x(options, lengths);
          x.Run(&kSite);
          if (!bidirectional) x.RunSteps(&kSite);
        }
      }
    }
  }
  ObserveProducts({});
  EXPECT_GT(any_rows, 0);
}

TEST(StackTest, ParametersStandInPyTorchsOrder) {
  StackOptions options = OptionsOf(Cell::kGru, true);
  options.layers = 2;
  const StackCase x(options, kEven);
  std::vector<std::string> names;
  for (const Parameter& parameter : x.parameters.list()) names.push_back(parameter.name);
  EXPECT_THAT(names, testing::ElementsAre("rnn.weight_ih_l0", "rnn.weight_hh_l0", "rnn.bias_ih_l0",
                                          "rnn.bias_hh_l0", "rnn.weight_ih_l0_reverse",
                                          "rnn.weight_hh_l0_reverse", "rnn.bias_ih_l0_reverse",
                                          "rnn.bias_hh_l0_reverse", "rnn.weight_ih_l1",
                                          "rnn.weight_hh_l1", "rnn.bias_ih_l1", "rnn.bias_hh_l1",
                                          "rnn.weight_ih_l1_reverse", "rnn.weight_hh_l1_reverse",
                                          "rnn.bias_ih_l1_reverse", "rnn.bias_hh_l1_reverse"));
  EXPECT_EQ(x.stack.ZeroState(2).h.size(), 4u * 2u * 11u);
}

TEST(StackTest, DropoutOnTheInputNeedsVectors) {
  StackCase x(WithRegularisation(OptionsOf(Cell::kGru, false)), kEven);
  const std::vector<int32_t> tokens(x.steps.rows(), 0);
  RecurrentState state = x.initial;
  const StackInput input = {.tokens = tokens.data(), .vectors = {x.options.input_size}};
  EXPECT_THROW(x.stack.Forward(x.steps, input, state, &kSite), std::logic_error);
}

TEST(StackTest, TwoDirectionsCannotGoStepByStep) {
  StackCase x(OptionsOf(Cell::kGru, true), kEven);
  EXPECT_THROW(x.RunSteps(nullptr), std::logic_error);
}

}  // namespace
}  // namespace lockstep::worker
