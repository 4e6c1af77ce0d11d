#include "trainer/tasks/text_metrics/bleu.h"

#include <array>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/trainer/tasks/text_metrics/golden.h"

namespace lockstep::trainer {
namespace {

TEST(BleuTest, TokensAreThoseOfSacrebleu) {
  int segments = 0;
  for (const auto& corpus : TextMetricsGolden()["corpora"]) {
    for (size_t i = 0; i < corpus["pairs"].size(); ++i) {
      for (const int side : {0, 1}) {
        std::string text = corpus["pairs"][i][side];
        // What Python's rstrip takes: every white space of this alphabet, here as bytes.
        const std::array<std::string, 6> spaces = {" ", "\t", "\n", "\u00a0", "\u3000", "\x1f"};
        for (bool more = true; more;) {
          more = false;
          for (const std::string& space : spaces) {
            if (!text.ends_with(space)) continue;
            text.resize(text.size() - space.size());
            more = true;
          }
        }
        ASSERT_EQ(Tokens13a(text), corpus["tokens"][i][side]) << corpus["pairs"][i][side];
        ++segments;
      }
    }
  }
  EXPECT_GT(segments, 100);
}

TEST(BleuTest, ScoresAreThoseOfSacrebleu) {
  for (const auto& corpus : TextMetricsGolden()["corpora"]) {
    Bleu bleu;
    for (const auto& pair : corpus["pairs"]) {
      bleu.Add(pair[0].get<std::string>(), pair[1].get<std::string>());
    }
    const auto& truth = corpus["bleu"];
    SCOPED_TRACE(corpus["pairs"].dump());
    for (size_t n = 0; n < 4; ++n) {
      EXPECT_EQ(bleu.sums()[2 + n], truth["matches"][n]);
      EXPECT_EQ(bleu.sums()[6 + n], truth["totals"][n]);
    }
    const BleuScore score = Bleu::Finish(bleu.sums());
    EXPECT_EQ(score.length, truth["length"]);
    EXPECT_EQ(score.truth_length, truth["truth_length"]);
    for (size_t n = 0; n < 4; ++n) EXPECT_DOUBLE_EQ(score.precisions[n], truth["precisions"][n]);
    EXPECT_DOUBLE_EQ(score.brevity_penalty, truth["bp"]);
    EXPECT_NEAR(score.score, truth["score"], 1e-11);  // logarithms are summed in another order
  }
}

// Two ranks that add their sums have the figure of one.
TEST(BleuTest, SumsAdd) {
  const auto& pairs = TextMetricsGolden()["corpora"][0]["pairs"];
  Bleu whole;
  std::array<Bleu, 2> parts;
  for (size_t i = 0; i < pairs.size(); ++i) {
    const std::string text = pairs[i][0], truth = pairs[i][1];
    whole.Add(text, truth);
    parts[i % 2].Add(text, truth);
  }
  std::array<double, Bleu::kSize> sums;
  for (size_t i = 0; i < sums.size(); ++i) sums[i] = parts[0].sums()[i] + parts[1].sums()[i];
  EXPECT_THAT(whole.sums(), testing::ElementsAreArray(sums));
}

TEST(BleuTest, TheSignatureIsSacrebleusButForTheVersion) {
  const std::string theirs = TextMetricsGolden()["corpora"][0]["bleu"]["signature"];
  const std::string ours = Bleu::Signature();
  const size_t version = theirs.find("version:");
  EXPECT_EQ(ours.substr(0, version), theirs.substr(0, version));
  EXPECT_THAT(ours.substr(version), testing::StartsWith("version:lockstep-"));
}

}  // namespace
}  // namespace lockstep::trainer
