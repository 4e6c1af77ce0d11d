#include "worker/models/sequence_labeler.h"

#include <algorithm>
#include <cmath>
#include <random>
#include <stdexcept>
#include <string>
#include <tuple>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/central_difference.h"
#include "tests/worker/model_case.h"
#include "tests/worker/models/labeler_case.h"
#include "tests/worker/models/reference_labeler.h"
#include "worker/models/initialization.h"

namespace lockstep::worker {
namespace {

using Doubles = std::vector<double>;
using testing::DoubleNear;
using testing::Pointwise;

// float32 has 6e-8 a rounding and some tens of them follow each other.
constexpr double kLossTolerance = 3e-6;
// Of the largest gradient of its parameter, since sums cancel. Central differences add about 1e-9.
constexpr double kGradientTolerance = 1e-5;

const std::vector<int64_t> kLengths = {5, 4, 4, 2, 1, 1};

SequenceLabelerOptions Options(Pooling pooling, int64_t labels, int64_t tags, bool crf,
                               Cell cell = Cell::kLstm) {
  SequenceLabelerOptions options;
  options.vocabulary_size = 50;  // more than half of the rows: no table
  options.embedding_size = 5;
  options.stack.cell = cell;
  options.stack.hidden_size = 3;
  options.stack.layers = 2;
  options.stack.dropout = 0.3;
  options.stack.bidirectional = true;
  options.labels = labels;
  options.tags = tags;
  options.pooling = pooling;
  if (labels > 0) options.label_weights = {0.5f, 2.0f, 1.25f};
  options.label_smoothing = 0.1;
  options.crf = crf;
  return options;
}

double Slope(ReferenceLabeler& reference, const LabelerCase& of, const Doubles& direction) {
  const DropoutSite site = of.site();
  return CentralDifference(reference.values(), direction,
                           [&] { return reference.Loss(of.batch(), &site).loss; });
}

// The loss, and of each parameter the slopes along its gradient and at random.
void ExpectAsReference(LabelerCase& of) {
  const LabelSum sum = of.Run();
  ReferenceLabeler reference(of.model);
  const DropoutSite site = of.site();
  const LabelSum expected = reference.Loss(of.batch(), &site);
  EXPECT_NEAR(sum.loss, expected.loss, kLossTolerance * std::max(1.0, expected.loss));
  EXPECT_NEAR(sum.weight, expected.weight, 1e-6);
  const Doubles gradient = of.Gradient();
  std::mt19937 generator(1);
  for (const Parameter& parameter : of.model.parameters().list()) {
    Doubles along(gradient.size(), 0.0), random(gradient.size(), 0.0);
    double largest = 0.0;
    for (int64_t i = parameter.offset; i < parameter.offset + parameter.size; ++i) {
      along[i] = gradient[i];
      random[i] = UniformValues(generator, 1, 1.0f)[0];
      largest = std::max(largest, std::abs(gradient[i]));
    }
    ASSERT_GT(largest, 1e-4) << parameter.name << " has no gradient to compare";
    for (const Doubles& direction : {along, random}) {
      double slope = 0.0;
      for (size_t i = 0; i < gradient.size(); ++i) slope += gradient[i] * direction[i];
      EXPECT_NEAR(slope / Norm(direction), Slope(reference, of, direction) / Norm(direction),
                  kGradientTolerance * std::max(largest, Norm(along)))
          << parameter.name;
    }
  }
}

enum class Reads { kLabel, kTagsSoftmax, kTagsCrf, kBothSoftmax, kBothCrf };

class GradientTest : public testing::TestWithParam<std::tuple<Pooling, Reads>> {};

TEST_P(GradientTest, IsTheSlopeOfTheReference) {
  const auto [pooling, reads] = GetParam();
  const bool label = reads != Reads::kTagsSoftmax && reads != Reads::kTagsCrf;
  const bool crf = reads == Reads::kTagsCrf || reads == Reads::kBothCrf;
  const int64_t labels = label ? 3 : 0, tags = reads == Reads::kLabel ? 0 : 4;
  for (const Cell cell : {Cell::kLstm, Cell::kGru}) {
    SCOPED_TRACE(CellName(cell));
    LabelerCase of(Options(pooling, labels, tags, crf, cell), kLengths);
    ExpectAsReference(of);
  }
}

std::string NameOf(const testing::TestParamInfo<std::tuple<Pooling, Reads>>& info) {
  const char* const poolings[] = {"Last", "Mean", "Max", "Attention"};
  const char* const reads[] = {"Label", "TagsSoftmax", "TagsCrf", "BothSoftmax", "BothCrf"};
  return std::string(poolings[static_cast<int>(std::get<0>(info.param))]) +
         reads[static_cast<int>(std::get<1>(info.param))];
}

INSTANTIATE_TEST_SUITE_P(Labels, GradientTest,
                         testing::Combine(testing::Values(Pooling::kLast, Pooling::kMean,
                                                          Pooling::kMax, Pooling::kAttention),
                                          testing::Values(Reads::kLabel, Reads::kBothSoftmax,
                                                          Reads::kBothCrf)),
                         NameOf);
INSTANTIATE_TEST_SUITE_P(Tags, GradientTest,
                         testing::Combine(testing::Values(Pooling::kLast),
                                          testing::Values(Reads::kTagsSoftmax, Reads::kTagsCrf)),
                         NameOf);

// Every single element of one of them.
TEST(SequenceLabelerTest, EveryElementOfTheGradientIsAsInTheReference) {
  LabelerCase of(Options(Pooling::kAttention, 3, 4, true), kLengths);
  of.Run();
  ReferenceLabeler reference(of.model);
  const Doubles gradient = of.Gradient();
  Doubles direction(gradient.size(), 0.0);
  for (const Parameter& parameter : of.model.parameters().list()) {
    Doubles expected;
    double largest = 0.0;
    for (int64_t i = parameter.offset; i < parameter.offset + parameter.size; ++i) {
      // What no token of the batch touches.
      if (parameter.offset == 0 && gradient[i] == 0.0) {
        expected.push_back(0.0);
        continue;
      }
      direction[i] = 1.0;
      expected.push_back(Slope(reference, of, direction));
      direction[i] = 0.0;
      largest = std::max(largest, std::abs(expected.back()));
    }
    const auto first = gradient.begin() + parameter.offset;
    EXPECT_THAT(Doubles(first, first + parameter.size),
                Pointwise(DoubleNear(kGradientTolerance * largest), expected))
        << parameter.name;
  }
}

TEST(SequenceLabelerTest, OtherShapesAreAsTheReference) {
  const auto expect = [](const char* what, const auto& change,
                         const std::vector<int64_t>& lengths = kLengths) {
    SCOPED_TRACE(what);
    SequenceLabelerOptions options = Options(Pooling::kMean, 3, 4, true);
    change(options);
    LabelerCase of(options, lengths);
    ExpectAsReference(of);
  };
  expect("one-hot", [](auto& o) { o.embedding_size = 0, o.vocabulary_size = 6; });
  expect("by a table", [](auto& o) { o.vocabulary_size = 6, o.stack.dropout = 0.0; });
  expect("dropout where a table would do", [](auto& o) { o.vocabulary_size = 6; });
  expect("locked dropout", [](auto& o) { o.stack.locked_dropout = true; });
  expect("dropouts of their own", [](auto& o) {
    o.stack.input_dropout = 0.1, o.stack.output_dropout = 0.5, o.stack.weight_drop = 0.4;
  });
  expect("dropped vectors", [](auto& o) { o.embedding_dropout = 0.4; });
  expect("dropped vectors where a table would do",
         [](auto& o) { o.vocabulary_size = 6, o.stack.dropout = 0.0, o.embedding_dropout = 0.4; });
  expect("no dropout", [](auto& o) { o.stack.dropout = 0.0; });
  expect("one direction", [](auto& o) { o.stack.bidirectional = false; });
  expect("one layer and the state alone", [](auto& o) {
    o.stack.layers = 1, o.pooling = Pooling::kLast, o.tags = 0, o.crf = false;
  });
  expect("residual layers", [](auto& o) { o.stack.layers = 3, o.stack.residual = true; });
  expect("no weights and no smoothing",
         [](auto& o) { o.label_weights.clear(), o.label_smoothing = 0.0, o.crf = false; });
  expect("equal lengths", [](auto&) {}, {3, 3, 3});
  expect("almost all rows alone",
         [](auto& o) {
           o.crf = false;
           o.tags = 0;
         },
         {2, 1, 1});
}

// Whatever an item does not share with the others of its batch: the masks of dropout go by its
// number, and no row of another reaches it.
TEST(SequenceLabelerTest, ABatchIsItsItemsOneByOne) {
  for (const Pooling pooling :
       {Pooling::kLast, Pooling::kMean, Pooling::kMax, Pooling::kAttention}) {
    for (const bool crf : {false, true}) {
      SCOPED_TRACE(testing::Message() << static_cast<int>(pooling) << " " << crf);
      LabelerCase of(Options(pooling, 3, 4, crf), kLengths);
      const LabelSum together = of.Run();
      const Doubles gradient = of.Gradient();
      LabelOutput outputs;
      const LabelSum evaluated = of.model.Evaluate(of.batch(), &outputs);
      LabelSum sum, evaluated_sum;
      std::ranges::fill(of.model.parameters().gradient(), 0.0f);
      for (int64_t item = 0; item < of.steps.items(); ++item) {
        const LabelerCase::Alone alone = of.ItemAlone(item);
        const LabelSum part = of.model.Forward(alone.batch(), alone.site);
        of.model.Backward();
        sum.loss += part.loss;
        sum.weight += part.weight;
        LabelOutput output;
        const LabelSum evaluated_part = of.model.Evaluate(alone.batch(), &output);
        evaluated_sum.loss += evaluated_part.loss;
        evaluated_sum.weight += evaluated_part.weight;
        for (int64_t label = 0; label < 3; ++label) {
          EXPECT_NEAR(output.label_probabilities[label],
                      outputs.label_probabilities[item * 3 + label], 1e-6);
        }
        for (int64_t t = 0; t < of.steps.length(item); ++t) {
          const int64_t row = of.steps.first_row(t) + item;
          EXPECT_EQ(output.tags[t], outputs.tags[row]);
          EXPECT_NEAR(output.tag_probabilities[t], outputs.tag_probabilities[row], 2e-6);
        }
      }
      EXPECT_NEAR(sum.loss, together.loss, kLossTolerance * together.loss);
      EXPECT_NEAR(sum.weight, together.weight, 1e-6);
      EXPECT_NEAR(evaluated_sum.loss, evaluated.loss, kLossTolerance * evaluated.loss);
      EXPECT_THAT(of.Gradient(), Pointwise(DoubleNear(1e-5), gradient));
    }
  }
}

TEST(SequenceLabelerTest, PredictionsAndTheirLossAreAsTheReference) {
  for (const bool crf : {false, true}) {
    SCOPED_TRACE(crf);
    LabelerCase of(Options(Pooling::kAttention, 3, 4, crf), kLengths);
    ReferenceLabeler reference(of.model);
    LabelOutput output;
    const LabelSum sum = of.model.Evaluate(of.batch(), &output);
    const LabelSum expected = reference.Loss(of.batch(), nullptr);
    EXPECT_NEAR(sum.loss, expected.loss, kLossTolerance * expected.loss);
    EXPECT_NEAR(sum.weight, expected.weight, 1e-6);
    EXPECT_EQ(of.model.Evaluate(of.batch(), nullptr).loss, sum.loss);
    for (int64_t item = 0; item < of.steps.items(); ++item) {
      const auto prediction = reference.Predict(of.batch(), item);
      for (int64_t label = 0; label < 3; ++label) {
        EXPECT_NEAR(output.label_probabilities[item * 3 + label],
                    prediction.label_probabilities[label], 2e-6);
      }
      for (int64_t t = 0; t < of.steps.length(item); ++t) {
        const int64_t row = of.steps.first_row(t) + item;
        EXPECT_EQ(output.tags[row], prediction.tags[t]);
        EXPECT_NEAR(output.tag_probabilities[row], prediction.tag_probabilities[t], 2e-6);
      }
    }
  }
}

// Predictions need no labels, a loss does; a model of one kind reads nothing of the other.
TEST(SequenceLabelerTest, WhatIsNotThereDoesNotCount) {
  LabelerCase of(Options(Pooling::kMean, 3, 4, true), kLengths);
  LabelBatch batch = of.batch();
  LabelOutput with, without;
  const LabelSum all = of.model.Evaluate(batch, &with);
  batch.tags = nullptr;
  const LabelSum labels = of.model.Evaluate(batch, nullptr);
  EXPECT_THROW(of.model.Forward(batch, of.site()), std::invalid_argument);
  batch.labels = nullptr;
  const LabelSum nothing = of.model.Evaluate(batch, &without);
  batch.tags = of.tags.data();
  const LabelSum tags = of.model.Evaluate(batch, nullptr);
  EXPECT_THROW(of.model.Forward(batch, of.site()), std::invalid_argument);
  EXPECT_EQ(nothing.loss, 0.0);
  EXPECT_EQ(nothing.weight, 0.0);
  EXPECT_DOUBLE_EQ(labels.loss + tags.loss, all.loss);
  EXPECT_DOUBLE_EQ(labels.weight + tags.weight, all.weight);
  EXPECT_EQ(tags.weight, static_cast<double>(of.steps.rows()));
  EXPECT_EQ(with.tags, without.tags);
  EXPECT_EQ(with.label_probabilities, without.label_probabilities);

  LabelerCase tagger(Options(Pooling::kMean, 0, 4, false), kLengths);
  LabelOutput output;
  tagger.model.Evaluate({tagger.steps, tagger.tokens.data()}, &output);
  EXPECT_TRUE(output.label_probabilities.empty());
  EXPECT_EQ(tagger.model.parameters().Find("attention.weight"), -1);
  of.tags[3] = -1;
  EXPECT_THROW(of.Run(), std::invalid_argument) << "a CRF with a tag that is missing";
}

TEST(SequenceLabelerTest, HasItsParametersByName) {
  SequenceLabeler model(Options(Pooling::kAttention, 3, 4, true));
  std::vector<std::string> names;
  for (const Parameter& parameter : model.parameters().list()) {
    if (!parameter.name.starts_with("rnn.")) names.push_back(parameter.name);
  }
  EXPECT_THAT(names,
              testing::ElementsAre("embedding.weight", "attention.weight", "attention.bias",
                                   "attention.vector", "label.weight", "label.bias", "tag.weight",
                                   "tag.bias", "crf.transitions", "crf.start", "crf.end"));
  EXPECT_EQ(model.embedding_weight(), 0);
  Initialize(model.parameters(), {});
  const Parameter& parameter =
      model.parameters().list()[model.parameters().Find("crf.transitions")];
  const auto drawn = model.parameters().values().subspan(parameter.offset, parameter.size);
  EXPECT_LE(*std::ranges::max_element(drawn), 0.1f);
  EXPECT_GE(*std::ranges::min_element(drawn), -0.1f);
  EXPECT_GT(*std::ranges::max_element(drawn), 0.04f);
  EXPECT_LT(*std::ranges::min_element(drawn), -0.04f);
}

TEST(SequenceLabelerTest, RefusesWhatCannotBe) {
  const auto refused = [](const auto& change) {
    SequenceLabelerOptions options = Options(Pooling::kMean, 3, 4, true);
    change(options);
    EXPECT_THROW(SequenceLabeler(options, Pass::kNone), std::invalid_argument);
  };
  SequenceLabeler(Options(Pooling::kMean, 3, 4, true), Pass::kNone);
  refused([](auto& o) { o.vocabulary_size = 0; });
  refused([](auto& o) { o.tags = 0; });
  refused([](auto& o) { o.tags = o.labels = 0, o.crf = false, o.label_weights.clear(); });
  refused([](auto& o) { o.label_weights.pop_back(); });
  refused([](auto& o) { o.label_weights[0] = -1.0f; });
  refused([](auto& o) { o.label_smoothing = 1.0; });
  refused([](auto& o) { o.stack.dropout = 1.0; });
  refused([](auto& o) { o.embedding_dropout = 1.0; });
  refused([](auto& o) { o.embedding_dropout = 0.1, o.embedding_size = 0; });
  refused([](auto& o) { o.stack.layers = 0; });
}

}  // namespace
}  // namespace lockstep::worker
