#include "trainer/tasks/text_metrics/chrf.h"

#include <array>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/trainer/tasks/text_metrics/golden.h"

namespace lockstep::trainer {
namespace {

TEST(ChrFTest, ScoresAreThoseOfSacrebleu) {
  for (const auto& corpus : TextMetricsGolden()["corpora"]) {
    ChrF chrf;
    for (const auto& pair : corpus["pairs"]) {
      chrf.Add(pair[0].get<std::string>(), pair[1].get<std::string>());
    }
    EXPECT_NEAR(ChrF::Finish(chrf.sums()), corpus["chrf"]["score"], 1e-11)
        << corpus["pairs"].dump();
  }
}

TEST(ChrFTest, SumsAdd) {
  const auto& pairs = TextMetricsGolden()["corpora"][0]["pairs"];
  ChrF whole;
  std::array<ChrF, 2> parts;
  for (size_t i = 0; i < pairs.size(); ++i) {
    const std::string text = pairs[i][0], truth = pairs[i][1];
    whole.Add(text, truth);
    parts[i % 2].Add(text, truth);
  }
  std::array<double, ChrF::kSize> sums;
  for (size_t i = 0; i < sums.size(); ++i) sums[i] = parts[0].sums()[i] + parts[1].sums()[i];
  EXPECT_THAT(whole.sums(), testing::ElementsAreArray(sums));
}

// What a model of bytes may write.
TEST(ChrFTest, BytesThatAreNotUtf8AreCharacters) {
  ChrF chrf;
  chrf.Add("\xC3", "\xC3\xA9");
  EXPECT_EQ(ChrF::Finish(chrf.sums()), 0.0);
  EXPECT_EQ(chrf.sums()[0], 1.0);
  EXPECT_EQ(chrf.sums()[1], 1.0);
}

TEST(ChrFTest, TheSignatureIsSacrebleusButForTheVersion) {
  const std::string theirs = TextMetricsGolden()["corpora"][0]["chrf"]["signature"];
  const std::string ours = ChrF::Signature();
  const size_t version = theirs.find("version:");
  EXPECT_EQ(ours.substr(0, version), theirs.substr(0, version));
  EXPECT_THAT(ours.substr(version), testing::StartsWith("version:lockstep-"));
}

}  // namespace
}  // namespace lockstep::trainer
