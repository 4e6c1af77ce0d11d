// What must hold for a language model whatever its numbers are.

#include "worker/models/language_model.h"

#include <algorithm>
#include <cmath>
#include <span>
#include <stdexcept>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/model_case.h"
#include "worker/products/precision.h"

namespace lockstep::worker {
namespace {

using testing::FloatNear;
using testing::Pointwise;

std::vector<float> GradientOf(const LanguageModel& model) {
  const auto gradient = model.parameters().gradient();
  return {gradient.begin(), gradient.end()};
}

class EveryCellModel : public testing::TestWithParam<Cell> {
 protected:
  LanguageModelOptions Options(double dropout) const {
    return {.vocabulary_size = 11,
            .embedding_size = 6,
            .cell = GetParam(),
            .layers = 2,
            .hidden_size = 19,
            .dropout = dropout};
  }
};

// The lanes `first` to `first` + `count` of a [rows, lanes, width] array.
template <class T>
std::vector<T> TakeLanes(const std::vector<T>& all, int64_t lanes, int64_t width, int64_t first,
                         int64_t count) {
  std::vector<T> part;
  const int64_t rows = static_cast<int64_t>(all.size()) / (lanes * width);
  for (int64_t row = 0; row < rows; ++row) {
    const auto begin = all.begin() + (row * lanes + first) * width;
    part.insert(part.end(), begin, begin + count * width);
  }
  return part;
}

// One rank with 8 lanes, or two with 3 and 5: the same losses, gradients, masks and states. A
// product of other rows may differ in the last digits, so nothing here is bit for bit.
TEST_P(EveryCellModel, LanesSplitOverRanksAddUp) {
  const int64_t T = 6, B = 8, H = 19;
  ModelCase whole(Options(0.3), T, B);
  RecurrentState state;
  const double loss = whole.Run(&state);
  const std::vector<float> gradient = GradientOf(whole.model);
  double sum_of_losses = 0.0;
  std::vector<float> sum(gradient.size(), 0.0f);
  for (const auto& [first, count] : {std::pair{0, 3}, std::pair{3, 5}}) {
    ModelCase part(Options(0.3), T, count);
    std::ranges::copy(whole.model.parameters().values(), part.model.parameters().values().begin());
    part.inputs = TakeLanes(whole.inputs, B, 1, first, count);
    part.targets = TakeLanes(whole.targets, B, 1, first, count);
    part.initial_state.h = TakeLanes(whole.initial_state.h, B, H, first, count);
    part.initial_state.c = TakeLanes(whole.initial_state.c, B, H, first, count);
    part.site.first_lane = whole.site.first_lane + first;
    RecurrentState part_state;
    sum_of_losses += part.Run(&part_state);
    for (size_t i = 0; i < sum.size(); ++i) sum[i] += GradientOf(part.model)[i];
    const auto expected_h = TakeLanes(state.h, B, H, first, count);
    EXPECT_THAT(part_state.h, Pointwise(FloatNear(1e-5f), expected_h));
    EXPECT_THAT(part_state.c, Pointwise(FloatNear(1e-5f), TakeLanes(state.c, B, H, first, count)));
  }
  EXPECT_NEAR(sum_of_losses, loss, 1e-6 * loss);
  const float largest = std::max(std::ranges::max(gradient), -std::ranges::min(gradient));
  EXPECT_THAT(sum, Pointwise(FloatNear(2e-6f * largest), gradient));
}

TEST_P(EveryCellModel, TheSameCallTwiceIsBitForBitTheSame) {
  ModelCase model_case(Options(0.3), 6, 5);
  RecurrentState first_state, second_state;
  const double first = model_case.Run(&first_state);
  const auto gradient = GradientOf(model_case.model);
  // Something else in between, of another shape, that leaves its traces in every buffer.
  ModelCase other(Options(0.1), 9, 7, 2);
  RecurrentState state = other.initial_state;
  model_case.model.Forward(other.batch(), state, other.site);
  model_case.model.Backward();
  const double second = model_case.Run(&second_state);
  EXPECT_EQ(first, second);
  EXPECT_EQ(first_state.h, second_state.h);
  EXPECT_EQ(first_state.c, second_state.c);
  EXPECT_EQ(gradient, GradientOf(model_case.model));
}

// Truncated BPTT: the state that is carried makes pieces of a stream the stream.
TEST_P(EveryCellModel, StateIsCarriedFromBatchToBatch) {
  const int64_t T = 6, B = 5;
  ModelCase whole(Options(0.0), T, B);
  RecurrentState at_once = whole.initial_state, in_pieces = whole.initial_state;
  const double loss = whole.model.Forward(whole.batch(), at_once, whole.site);
  double sum = 0.0;
  for (int64_t t = 0; t < T; t += 3) {
    const TokenBatch piece{3, B, whole.inputs.data() + t * B, whole.targets.data() + t * B};
    sum += whole.model.Forward(piece, in_pieces, whole.site);
  }
  EXPECT_NEAR(sum, loss, 1e-6 * loss);
  EXPECT_THAT(in_pieces.h, Pointwise(FloatNear(1e-5f), at_once.h));
  EXPECT_THAT(in_pieces.c, Pointwise(FloatNear(1e-5f), at_once.c));
  RecurrentState forgotten = whole.model.ZeroState(B);
  EXPECT_GT(std::abs(whole.model.Forward(whole.batch(), forgotten, whole.site) - loss), 1e-3);
}

TEST_P(EveryCellModel, EvaluationIsTheForwardPassWithoutDropout) {
  ModelCase with(Options(0.5), 6, 5), without(Options(0.0), 6, 5);
  RecurrentState evaluated = with.initial_state, dropped = with.initial_state, plain;
  const double loss = with.model.Evaluate(with.batch(), evaluated);
  EXPECT_EQ(loss, without.Run(&plain));
  EXPECT_EQ(evaluated.h, plain.h);
  EXPECT_NE(with.model.Forward(with.batch(), dropped, with.site), loss);
}

void ExpectNextLogitsContinueOneLane(const LanguageModelOptions& options, double tolerance) {
  ModelCase model_case(options, 6, 1);
  RecurrentState state = model_case.initial_state, evaluated = model_case.initial_state;
  const std::span<const int32_t> tokens = model_case.inputs;
  model_case.model.BeginNextLogits();
  std::span<const float> logits;
  for (const int32_t& token : tokens) logits = model_case.model.NextLogits({&token, 1}, state);
  ASSERT_EQ(logits.size(), 11u);
  double sum = 0.0;
  for (const float logit : logits) sum += std::exp(static_cast<double>(logit));
  const double expected = std::log(sum) - logits[4];
  // The loss of the last token alone, all others masked.
  std::ranges::fill(model_case.targets, -1);
  model_case.targets.back() = 4;
  const double loss = model_case.model.Evaluate(model_case.batch(), evaluated);
  EXPECT_NEAR(loss, expected, tolerance);
  EXPECT_THAT(state.h, Pointwise(FloatNear(static_cast<float>(tolerance)), evaluated.h));
}

TEST_P(EveryCellModel, NextLogitsContinueOneLane) {
  ExpectNextLogitsContinueOneLane(Options(0.5), 1e-5);
}

// Bit for bit, so that a text that is sampled does not depend on those beside it.
TEST_P(EveryCellModel, NextLogitsOfALaneAreThoseOfTheLaneAlone) {
  constexpr int64_t kLanes = 7, kVocabulary = 11;
  const std::vector<int32_t> tokens = {3, 0, 10, 3, 7, 1, 5};
  for (const bool one_hot : {false, true}) {
    for (const bool clusters : {false, true}) {
      LanguageModelOptions options = Options(0.0);
      if (one_hot) options.embedding_size = 0;
      if (clusters) options.softmax = {.cutoffs = {4, 8}, .division = 2.0};
      ModelCase model_case(options, 1, kLanes);
      RecurrentState all = model_case.initial_state;
      model_case.model.BeginNextLogits();
      const auto span = model_case.model.NextLogits(tokens, all);
      ASSERT_EQ(span.size(), kLanes * kVocabulary);
      const std::vector<float> logits(span.begin(), span.end());
      for (int64_t lane = 0; lane < kLanes; ++lane) {
        RecurrentState state = SelectLanes(model_case.initial_state, {&lane, 1});
        const auto alone = model_case.model.NextLogits({&tokens[lane], 1}, state);
        EXPECT_THAT(alone, testing::ElementsAreArray(logits.begin() + lane * kVocabulary,
                                                     logits.begin() + (lane + 1) * kVocabulary))
            << one_hot << clusters << lane;
        EXPECT_EQ(state.h, SelectLanes(all, {&lane, 1}).h);
        EXPECT_EQ(state.c, SelectLanes(all, {&lane, 1}).c);
      }
    }
  }
}

// The same operands are rounded, whether a one-hot vector is multiplied or its row is taken.
TEST_P(EveryCellModel, NextLogitsContinueOneLaneInBf16) {
  for (const auto way : {Arithmetic::kBf16Rounded, Arithmetic::kBf16Instructions}) {
    if (!ArithmeticScope::CanPlay(way)) continue;
    const ArithmeticScope arithmetic(way);
    LanguageModelOptions options = Options(0.5);
    ExpectNextLogitsContinueOneLane(options, 1e-4);
    options.embedding_size = 0;
    ExpectNextLogitsContinueOneLane(options, 1e-4);
  }
}

// Which way is less work depends on the lanes of a rank, and every rank of a job goes the same way.
TEST(FirstLayerTest, UsesATableWhereThatIsLessWork) {
  const LanguageModelOptions options{.vocabulary_size = 65, .embedding_size = 3, .hidden_size = 5};
  const LanguageModel model(options);
  EXPECT_TRUE(model.UsesTable(64, 64));
  EXPECT_TRUE(model.UsesTable(65, 2));
  EXPECT_FALSE(model.UsesTable(64, 2));
  EXPECT_FALSE(model.UsesTable(64, 1)) << "as many products as the batch has tokens, and a table";
  LanguageModelOptions of_a_job = options;
  of_a_job.lanes_of_rank = 2;
  for (const int64_t lanes : {2, 3}) EXPECT_FALSE(LanguageModel(of_a_job).UsesTable(64, lanes));
  of_a_job.lanes_of_rank = 3;
  for (const int64_t lanes : {3, 4}) EXPECT_TRUE(LanguageModel(of_a_job).UsesTable(64, lanes));
  LanguageModelOptions one_hot = options;
  one_hot.embedding_size = 0;
  EXPECT_TRUE(LanguageModel(one_hot).UsesTable(1, 1)) << "there is no other way";
}

INSTANTIATE_TEST_SUITE_P(All, EveryCellModel, testing::ValuesIn(AllCells()),
                         [](const auto& test) { return CellName(test.param); });

TEST(LanguageModelTest, ABatchThatDoesNotCountHasNoLossAndNoGradient) {
  ModelCase model_case({.vocabulary_size = 7, .embedding_size = 3, .layers = 1, .hidden_size = 5},
                       4, 3);
  std::ranges::fill(model_case.targets, -1);
  EXPECT_EQ(model_case.Run(), 0.0);
  EXPECT_THAT(GradientOf(model_case.model), testing::Each(0.0f));
}

TEST(LanguageModelTest, RefusesImpossibleShapes) {
  EXPECT_THROW(LanguageModel({.vocabulary_size = 0}), std::invalid_argument);
  EXPECT_THROW(
      LanguageModel(
          {.vocabulary_size = 7, .embedding_size = 3, .hidden_size = 5, .tie_embedding = true}),
      std::invalid_argument);
}

TEST(LanguageModelTest, OnlyAnLstmHasCells) {
  LanguageModel lstm({.vocabulary_size = 7, .layers = 3, .hidden_size = 5});
  LanguageModel gru({.vocabulary_size = 7, .cell = Cell::kGru, .layers = 3, .hidden_size = 5});
  EXPECT_THAT(lstm.ZeroState(4).c, testing::AllOf(testing::SizeIs(60), testing::Each(0.0f)));
  EXPECT_THAT(gru.ZeroState(4).h, testing::AllOf(testing::SizeIs(60), testing::Each(0.0f)));
  EXPECT_THAT(gru.ZeroState(4).c, testing::IsEmpty());
}

}  // namespace
}  // namespace lockstep::worker
