// What a model says of gradients that are final, of every model: they are, and what is worth hiding
// is said early.
#include <algorithm>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/forecaster_case.h"
#include "tests/worker/model_case.h"
#include "tests/worker/models/labeler_case.h"
#include "tests/worker/models/pair_case.h"

namespace lockstep::worker {
namespace {

// Runs a case's way back. Returns the names of the parameters with which each announcement began,
// with "+" where it began within one, "end" for the place behind the last.
template <class Case>
std::vector<std::string> Announced(Case& of) {
  const Parameters& parameters = of.model.parameters();
  std::vector<int64_t> offsets;
  std::vector<std::vector<float>> snapshots;
  of.ready = [&](int64_t offset) {
    offsets.push_back(offset);
    const auto gradient = parameters.gradient();
    snapshots.emplace_back(gradient.begin() + offset, gradient.begin() + parameters.size());
  };
  of.Run();
  EXPECT_TRUE(std::ranges::is_sorted(offsets, std::greater<>()));
  std::vector<std::string> names;
  for (size_t i = 0; i < offsets.size(); ++i) {
    names.push_back("end");
    for (const Parameter& parameter : parameters.list()) {
      const int64_t within = offsets[i] - parameter.offset;
      if (within < 0 || within >= parameter.size) continue;
      names.back() = parameter.name + (within > 0 ? "+" : "");
    }
    const auto gradient = parameters.gradient().first(parameters.size());
    EXPECT_THAT(snapshots[i], testing::ElementsAreArray(gradient.last(snapshots[i].size())))
        << "from " << names.back() << " on";
  }
  return names;
}

const std::vector<std::string> kTwoLayers = {"rnn.weight_hh_l1", "rnn.weight_ih_l1",
                                             "rnn.weight_hh_l0", "rnn.weight_ih_l0"};

std::vector<std::string> Distinct(std::vector<std::string> names) {
  names.erase(std::unique(names.begin(), names.end()), names.end());
  return names;
}

std::vector<std::string> Behind(const std::string& first, std::vector<std::string> others) {
  others.insert(others.begin(), first);
  return others;
}

TEST(GradientReadyTest, OfALanguageModelOfEveryCell) {
  for (const Cell cell : AllCells()) {
    for (const bool tied : {false, true}) {
      SCOPED_TRACE(CellName(cell) + (tied ? ", tied" : ""));
      LanguageModelOptions options = {.vocabulary_size = 70,
                                      .embedding_size = 6,
                                      .cell = cell,
                                      .layers = 2,
                                      .hidden_size = 6,
                                      .dropout = 0.2};
      options.tie_embedding = tied;
      options.weight_drop = 0.2;
      options.layer_norm = !tied;
      options.embedding_dropout = 0.1;
      options.temporal_activation_regularization = 1.0;
      ModelCase of(options, 5, 3);
      EXPECT_EQ(Distinct(Announced(of)),
                Behind(tied ? "projection.bias" : "projection.weight", kTwoLayers));
    }
  }
}

TEST(GradientReadyTest, OfTokensThatGoThroughATable) {
  ModelCase of({.vocabulary_size = 4, .embedding_size = 6, .layers = 2, .hidden_size = 6}, 5, 3);
  EXPECT_EQ(Distinct(Announced(of)), Behind("projection.weight", kTwoLayers));
}

// So that the last piece that ranks wait for is a small one.
TEST(GradientReadyTest, OfALargeWeightInBlocks) {
  ModelCase of({.vocabulary_size = 4, .embedding_size = 0, .layers = 1, .hidden_size = 700}, 2, 2);
  EXPECT_EQ(Distinct(Announced(of)),
            (std::vector<std::string>{"projection.weight", "rnn.weight_hh_l0+", "rnn.weight_hh_l0",
                                      "rnn.weight_ih_l0"}));
}

TEST(GradientReadyTest, OfALabelerOfBothDirections) {
  for (const bool tags : {false, true}) {
    SequenceLabelerOptions options;
    options.vocabulary_size = 50;
    options.embedding_size = 5;
    options.stack.layers = 2;
    options.stack.hidden_size = 3;
    options.stack.dropout = 0.3;
    options.stack.bidirectional = true;
    options.labels = 3;
    options.tags = tags ? 4 : 0;
    options.crf = tags;
    options.pooling = tags ? Pooling::kAttention : Pooling::kLast;
    LabelerCase of(options, {5, 4, 2});
    // The first direction's come with the last of the second's.
    EXPECT_EQ(Distinct(Announced(of)),
              (std::vector<std::string>{tags ? "attention.weight" : "label.weight",
                                        "rnn.weight_hh_l1_reverse", "rnn.weight_ih_l1_reverse",
                                        "rnn.weight_ih_l1", "rnn.weight_hh_l0_reverse",
                                        "rnn.weight_ih_l0_reverse", "rnn.weight_ih_l0"}));
  }
}

TEST(GradientReadyTest, OfATranslatorBeforeItsEncoder) {
  for (const Conditioning conditioning : {Conditioning::kState, Conditioning::kContext,
                                          Conditioning::kBahdanau, Conditioning::kLuong}) {
    PairCase of(SmallPairOptions(conditioning));
    const auto names = Announced(of);
    ASSERT_FALSE(names.empty());
    EXPECT_THAT(names.front(), testing::Not(testing::HasSubstr("encoder.rnn")));
    EXPECT_EQ(names.back(), "encoder.rnn.weight_ih_l0");
  }
}

TEST(GradientReadyTest, OfAForecasterOfEveryDecoding) {
  constexpr auto kLoss = ForecastLoss::Kind::kGaussian;
  for (const Decoding decoding : AllDecodings()) {
    SCOPED_TRACE(NameOf(decoding));
    for (const ForecasterOptions& options : {PlainForecaster(decoding, Cell::kLstm, kLoss),
                                             RichForecaster(decoding, Cell::kGru, kLoss)}) {
      ForecasterCase of(options, 3, 4);
      EXPECT_THAT(Announced(of), testing::Not(testing::IsEmpty()));
    }
  }
}

}  // namespace
}  // namespace lockstep::worker
