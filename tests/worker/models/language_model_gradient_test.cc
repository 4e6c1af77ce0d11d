// Losses, states and gradients of every cell against the plain-loop reference in double.

#include <algorithm>
#include <cmath>
#include <string>
#include <tuple>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/model_case.h"

namespace lockstep::worker {
namespace {

// float32 has 6e-8 a rounding. A value of these cases passes through some 10 roundings a time step
// (sums of up to 25 products, exp and tanh with 1 to 4 units in the last place) and layer.
constexpr double kStateTolerance = 1e-6;
// Relative: the losses of tokens are rounded apart and their errors cancel.
constexpr double kLossTolerance = 1e-6;
// Of the largest gradient of its parameter, since sums cancel; what goes backwards is rounded once
// more on the way. Central differences add about 1e-9.
constexpr double kGradientTolerance = 5e-6;

// dLoss/dvalue of the reference: the error of the formula grows with step^2, that of the loss's
// last digits with 1 / step; 1e-5 keeps both below 1e-9.
double CentralDifference(ReferenceModel& reference, const ModelCase& model_case, double& value) {
  constexpr double kStep = 1e-5;
  const double old = value;
  const auto loss_at = [&](double x) {
    value = x;
    ReferenceState state = model_case.InitialReferenceState();
    return reference.Objective(model_case.batch(), state, &model_case.site);
  };
  const double difference = loss_at(old + kStep) - loss_at(old - kStep);
  value = old;
  return difference / (2.0 * kStep);
}

void ExpectForwardAsReference(ModelCase& model_case) {
  RecurrentState state;
  const double loss = model_case.Run(&state);
  ReferenceState expected = model_case.InitialReferenceState();
  const double expected_loss =
      model_case.Reference().Loss(model_case.batch(), expected, &model_case.site);
  EXPECT_NEAR(loss, expected_loss, kLossTolerance * expected_loss);
  // RELU's states grow; relative to the largest they are as exact as the others.
  const double scale = std::max(1.0, *std::ranges::max_element(expected.h));
  EXPECT_THAT(std::vector<double>(state.h.begin(), state.h.end()),
              testing::Pointwise(testing::DoubleNear(kStateTolerance * scale), expected.h));
  EXPECT_THAT(std::vector<double>(state.c.begin(), state.c.end()),
              testing::Pointwise(testing::DoubleNear(kStateTolerance * scale), expected.c));
}

void ExpectGradientAsDifferences(ModelCase& model_case, const Parameter& parameter,
                                 ReferenceModel& reference) {
  std::vector<double>& values = reference.value(parameter.name);
  std::vector<double> expected;
  double largest = 0.0;
  for (double& value : values) {
    expected.push_back(CentralDifference(reference, model_case, value));
    largest = std::max(largest, std::abs(expected.back()));
  }
  ASSERT_GT(largest, 1e-4) << parameter.name << " has no gradient to compare";
  const auto gradient =
      model_case.model.parameters().gradient().subspan(parameter.offset, parameter.size);
  for (int64_t i = 0; i < parameter.size; ++i) {
    EXPECT_NEAR(gradient[i], expected[i], kGradientTolerance * largest)
        << parameter.name << "[" << i << "]";
  }
}

void ExpectAllAsReference(const LanguageModelOptions& options) {
  ModelCase model_case(options, 6, 3);
  ExpectForwardAsReference(model_case);
  ReferenceModel reference = model_case.Reference();
  for (const Parameter& parameter : model_case.model.parameters().list()) {
    ExpectGradientAsDifferences(model_case, parameter, reference);
  }
}

using Shape = std::tuple<Cell, int64_t, int, int64_t, double>;  // cell, I, L, H, dropout

class LanguageModelGradientTest : public testing::TestWithParam<Shape> {};

TEST_P(LanguageModelGradientTest, EqualsCentralDifferences) {
  const auto [cell, embedding_size, layers, hidden_size, dropout] = GetParam();
  ExpectAllAsReference({.vocabulary_size = 7,
                        .embedding_size = embedding_size,
                        .cell = cell,
                        .layers = layers,
                        .hidden_size = hidden_size,
                        .dropout = dropout});
}

std::string ShapeName(const testing::TestParamInfo<Shape>& test) {
  const auto [cell, embedding_size, layers, hidden_size, dropout] = test.param;
  return CellName(cell) + "I" + std::to_string(embedding_size) + "L" + std::to_string(layers) +
         "H" + std::to_string(hidden_size) + (dropout > 0.0 ? "Dropout" : "");
}

std::string NameOfCell(const testing::TestParamInfo<Cell>& test) { return CellName(test.param); }

// Sizes that are no multiple of any vector's width: 5 is below most, 11 is one of 8 and a rest.
INSTANTIATE_TEST_SUITE_P(Narrow, LanguageModelGradientTest,
                         testing::Combine(testing::ValuesIn(AllCells()), testing::Values(0, 3),
                                          testing::Values(1, 2), testing::Values(5),
                                          testing::Values(0.0, 0.3)),
                         ShapeName);
INSTANTIATE_TEST_SUITE_P(Wide, LanguageModelGradientTest,
                         testing::Combine(testing::ValuesIn(AllCells()), testing::Values(0, 13),
                                          testing::Values(1), testing::Values(11),
                                          testing::Values(0.3)),
                         ShapeName);

// More tokens than half of the batch's 6 x 3: the first layer reads vectors, not a table over the
// vocabulary.
class LargeVocabularyGradientTest : public testing::TestWithParam<Cell> {};

TEST_P(LargeVocabularyGradientTest, EqualsCentralDifferences) {
  ExpectAllAsReference({.vocabulary_size = 29,
                        .embedding_size = 3,
                        .cell = GetParam(),
                        .layers = 2,
                        .hidden_size = 5,
                        .dropout = 0.3});
}

INSTANTIATE_TEST_SUITE_P(All, LargeVocabularyGradientTest, testing::ValuesIn(AllCells()),
                         NameOfCell);

class TiedGradientTest : public testing::TestWithParam<Cell> {};

TEST_P(TiedGradientTest, EqualsCentralDifferences) {
  ExpectAllAsReference({.vocabulary_size = 7,
                        .embedding_size = 5,
                        .cell = GetParam(),
                        .layers = 2,
                        .hidden_size = 5,
                        .dropout = 0.3,
                        .tie_embedding = true});
}

INSTANTIATE_TEST_SUITE_P(All, TiedGradientTest, testing::ValuesIn(AllCells()), NameOfCell);

// Merity et al. 2017: all of it, and each by itself; the loss that is told stays as it is.
struct Regularized {
  std::string name;
  LanguageModelOptions options;
};

LanguageModelOptions Plain() {
  return {.vocabulary_size = 7,
          .embedding_size = 5,
          .cell = Cell::kLstm,
          .layers = 2,
          .hidden_size = 5,
          .dropout = 0.25};
}

std::vector<Regularized> AllRegularized() {
  std::vector<Regularized> all;
  const auto add = [&](const std::string& name, auto... set) {
    LanguageModelOptions options = Plain();
    (set(options), ...);
    all.push_back({name, options});
  };
  using Options = LanguageModelOptions;
  const auto locked = [](Options& o) { o.locked_dropout = true; };
  const auto input = [](Options& o) { o.input_dropout = 0.3; };
  const auto output = [](Options& o) { o.output_dropout = 0.45; };
  const auto weights = [](Options& o) { o.weight_drop = 0.4; };
  const auto tokens = [](Options& o) { o.embedding_dropout = 0.3; };
  const auto activation = [](Options& o) { o.activation_regularization = 2.0; };
  const auto temporal = [](Options& o) { o.temporal_activation_regularization = 3.0; };
  const auto smoothing = [](Options& o) { o.label_smoothing = 0.2; };
  const auto tied = [](Options& o) { o.tie_embedding = true; };
  const auto dry = [](Options& o) { o.dropout = 0.0; };
  const auto residual = [](Options& o) { o.residual = true; };
  const auto gru = [](Options& o) { o.cell = Cell::kGru; };
  const auto projected = [](Options& o) { o.cell_size = 8; };
  add("Locked", locked);
  add("Input", input);
  add("Output", output);
  add("OutputAlone", output, dry);
  add("Weights", weights);
  add("Tokens", tokens);
  add("Activation", activation);
  add("Temporal", temporal);
  add("TemporalDry", temporal, dry);
  add("TemporalResidual", temporal, residual);
  add("TemporalResidualDry", temporal, residual, dry);
  add("Smoothing", smoothing);
  add("Residual", residual);
  add("All", locked, input, output, weights, tokens, activation, temporal, smoothing, tied);
  add("AllGru", locked, input, output, weights, tokens, activation, temporal, smoothing, tied, gru);
  add("Projected", projected);
  add("ProjectedOneHot", projected, [](Options& o) { o.embedding_size = 0; });
  add("ProjectedAll", projected, locked, input, output, weights, tokens, temporal, tied);
  return all;
}

class RegularizedGradientTest : public testing::TestWithParam<Regularized> {};

TEST_P(RegularizedGradientTest, EqualsCentralDifferences) {
  ExpectAllAsReference(GetParam().options);
}

INSTANTIATE_TEST_SUITE_P(All, RegularizedGradientTest, testing::ValuesIn(AllRegularized()),
                         [](const auto& test) { return test.param.name; });

// In evaluation there is none of it.
TEST(RegularizedTest, AnEvaluationIsThatOfThePlainModel) {
  const std::vector<Regularized> each = AllRegularized();
  const LanguageModelOptions all = std::ranges::find(each, "All", &Regularized::name)->options;
  LanguageModelOptions plain = Plain();
  plain.tie_embedding = all.tie_embedding;
  ModelCase regularized(all, 6, 3), expected(plain, 6, 3);
  RecurrentState a = regularized.initial_state, b = expected.initial_state;
  EXPECT_NEAR(regularized.model.Evaluate(regularized.batch(), a),
              expected.model.Evaluate(expected.batch(), b), 1e-4);
  EXPECT_THAT(a.h, testing::Pointwise(testing::FloatNear(1e-6f), b.h));
}

class LargerForwardTest : public testing::TestWithParam<Cell> {};

TEST_P(LargerForwardTest, EqualsReference) {
  ModelCase model_case({.vocabulary_size = 65,
                        .embedding_size = 19,
                        .cell = GetParam(),
                        .layers = 2,
                        .hidden_size = 37,
                        .dropout = 0.2},
                       20, 9);
  // As trained models have them: with 0.7 the states of 37 units are chaotic and rounding grows.
  for (float& value : model_case.model.parameters().values()) value *= 0.25f;
  ExpectForwardAsReference(model_case);
}

INSTANTIATE_TEST_SUITE_P(All, LargerForwardTest, testing::ValuesIn(AllCells()), NameOfCell);

}  // namespace
}  // namespace lockstep::worker
