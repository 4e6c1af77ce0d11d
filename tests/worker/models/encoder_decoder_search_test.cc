// Translations against the plain-loop reference in double.

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/models/pair_case.h"
#include "worker/models/encoder_decoder.h"

namespace lockstep::worker {
namespace {

constexpr int32_t kEnd = 4;  // V of the small case
constexpr double kTolerance = 1e-5;

struct Shape {
  Conditioning conditioning;
  bool input_feeding, vector;
  const char* name;
  int64_t cell_size = 0;
};

class TranslationTest : public testing::TestWithParam<Shape> {
 protected:
  TranslationTest() : of_(Options()), reference_(of_.model) {
    std::iota(of_.source_of.begin(), of_.source_of.end(), 0);
    batch_ = of_.batch();
    batch_.target = {};
    batch_.inputs = batch_.targets = nullptr;
    batch_.source_of = nullptr;
  }

  static EncoderDecoderOptions Options() {
    EncoderDecoderOptions options = SmallPairOptions(GetParam().conditioning, GetParam().vector);
    options.input_feeding = GetParam().input_feeding;
    options.stack.layers = 2;
    options.stack.bidirectional = !GetParam().vector;
    options.stack.residual = true;
    options.stack.cell_size = GetParam().cell_size;
    options.stack.dropout = 0.3;  // in training only
    return options;
  }

  bool IsAttentive() const {
    return GetParam().conditioning == Conditioning::kBahdanau ||
           GetParam().conditioning == Conditioning::kLuong;
  }

  std::vector<double> Next(int64_t item, const std::vector<int32_t>& tokens,
                           std::vector<int32_t>* attended = nullptr) const {
    std::vector<int32_t> inputs = {kEnd};
    inputs.insert(inputs.end(), tokens.begin(), tokens.end());
    return reference_.LogProbabilities(of_.batch(), item, inputs, nullptr, attended).back();
  }

  double LogProbability(int64_t item, const std::vector<int32_t>& tokens) const {
    double sum = 0.0;
    for (size_t t = 0; t <= tokens.size(); ++t) {
      const std::vector<int32_t> before(tokens.begin(), tokens.begin() + static_cast<int64_t>(t));
      sum += Next(item, before)[t < tokens.size() ? tokens[t] : kEnd];
    }
    return sum;
  }

  // The batch of source `item` alone, as Translate reads it.
  PairBatch Alone(int64_t item) { return of_.One(item); }

  PairCase of_;
  ReferenceEncoderDecoder reference_;
  PairBatch batch_;
};

TEST_P(TranslationTest, GreedyIsTheLikeliestTokenEachTime) {
  const auto found = of_.model.Translate(batch_, {.length_factor = 1.0, .length_constant = 2});
  ASSERT_EQ(found.size(), 5u);
  for (int64_t item = 0; item < 5; ++item) {
    const size_t most = GetParam().vector ? 2 : of_.source.length(item) + 2;
    std::vector<int32_t> expected, attended;
    while (expected.size() < most) {
      attended.clear();
      const auto next = Next(item, expected, &attended);
      const auto token = static_cast<int32_t>(std::ranges::max_element(next) - next.begin());
      if (token == kEnd) break;
      expected.push_back(token);
    }
    attended.resize(expected.size());
    ASSERT_EQ(found[item].size(), 1u);
    EXPECT_EQ(found[item][0].tokens, expected);
    EXPECT_EQ(found[item][0].attended, IsAttentive() ? attended : std::vector<int32_t>{});
    EXPECT_NEAR(found[item][0].log_probability, LogProbability(item, expected), kTolerance);
  }
}

TEST_P(TranslationTest, ABeamOfAllFindsWhatIsBest) {
  const SearchOptions options = {
      .beam = 100, .nbest = 4, .length_penalty = 0.7, .length_factor = 0.0, .length_constant = 2};
  const auto found = of_.model.Translate(batch_, options);
  for (int64_t item = 0; item < 5; ++item) {
    std::vector<Hypothesis> all(1);
    for (int32_t a = 0; a < kEnd; ++a) {
      all.emplace_back().tokens = {a};
      for (int32_t b = 0; b < kEnd; ++b) all.emplace_back().tokens = {a, b};
    }
    for (Hypothesis& hypothesis : all) {
      const double length = static_cast<double>(hypothesis.tokens.size()) + 1.0;
      hypothesis.log_probability = LogProbability(item, hypothesis.tokens);
      hypothesis.score = hypothesis.log_probability / std::pow((5.0 + length) / 6.0, 0.7);
    }
    std::ranges::sort(all, std::greater<>(), &Hypothesis::score);
    ASSERT_EQ(found[item].size(), 4u);
    for (size_t i = 0; i < 4; ++i) {
      EXPECT_EQ(found[item][i].tokens, all[i].tokens);
      EXPECT_NEAR(found[item][i].score, all[i].score, kTolerance);
    }
  }
}

TEST_P(TranslationTest, ASourceIsTranslatedAlikeInAnyBatch) {
  const int64_t numbers[] = {40, 41, 7, 3, 99};
  for (const double temperature : {0.0, 1.0}) {
    const SearchOptions options = {.beam = 3, .nbest = 3, .temperature = temperature, .seed = 8};
    const auto found = of_.model.Translate(batch_, options, numbers);
    const auto again = of_.model.Translate(batch_, options, numbers);
    for (int64_t item = 0; item < 5; ++item) {
      const auto alone = of_.model.Translate(Alone(item), options, numbers + item)[0];
      ASSERT_EQ(found[item].size(), alone.size());
      for (size_t i = 0; i < alone.size(); ++i) {
        EXPECT_EQ(found[item][i].tokens, alone[i].tokens);
        EXPECT_EQ(found[item][i].attended, alone[i].attended);
        EXPECT_NEAR(found[item][i].log_probability, alone[i].log_probability, kTolerance);
        EXPECT_EQ(found[item][i].log_probability, again[item][i].log_probability);
      }
    }
  }
}

// A translation leaves a training where it was.
TEST_P(TranslationTest, StandsBesideTraining) {
  const double loss = of_.Run().loss;
  of_.model.Translate(batch_, {.beam = 2});
  EXPECT_EQ(of_.Run().loss, loss);
}

INSTANTIATE_TEST_SUITE_P(Shapes, TranslationTest,
                         testing::Values(Shape{Conditioning::kState, false, false, "State"},
                                         Shape{Conditioning::kContext, false, false, "Context"},
                                         Shape{Conditioning::kBahdanau, false, false, "Bahdanau"},
                                         Shape{Conditioning::kLuong, false, false, "Luong"},
                                         Shape{Conditioning::kLuong, true, false, "LuongFeeding"},
                                         Shape{Conditioning::kLuong, true, false, "Projected", 9},
                                         Shape{Conditioning::kState, false, true, "VectorState"},
                                         Shape{Conditioning::kContext, false, true,
                                               "VectorContext"}),
                         [](const auto& test) { return std::string(test.param.name); });

}  // namespace
}  // namespace lockstep::worker
