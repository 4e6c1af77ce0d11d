#include "trainer/data/unknown_singletons.h"

#include <array>
#include <cmath>
#include <cstdint>
#include <filesystem>
#include <optional>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/io/temporary_folder.h"
#include "trainer/exit_status.h"

namespace lockstep::trainer {
namespace {

constexpr int32_t kUnknown = 0, kOnce = 1, kOften = 2;

std::vector<int32_t> Replaced(const UnknownSingletons& singletons, worker::DropoutSite site,
                              const std::vector<int64_t>& lanes, int64_t time_steps) {
  site.lanes = lanes.data();
  std::vector<int32_t> tokens;
  for (int64_t row = 0; row < time_steps * std::ssize(lanes); ++row) {
    tokens.push_back(row % 2 ? kOnce : kOften);
  }
  singletons.Replace(site, worker::PackedSteps::Uniform(time_steps, std::ssize(lanes)), tokens);
  return tokens;
}

TEST(UnknownSingletonsTest, ReplacesThemWithTheProbability) {
  const UnknownSingletons singletons({false, true, false}, kUnknown, 0.3);
  std::vector<int64_t> lanes(101);
  for (int64_t i = 0; i < 101; ++i) lanes[i] = 5 * i;
  const auto tokens = Replaced(singletons, {.seed = 3, .batch = 7}, lanes, 100);
  int64_t replaced = 0;
  for (size_t row = 0; row < tokens.size(); ++row) {
    if (row % 2 == 0) {
      EXPECT_EQ(tokens[row], kOften);
    } else {
      EXPECT_THAT(tokens[row], testing::AnyOf(kOnce, kUnknown));
      replaced += tokens[row] == kUnknown;
    }
  }
  // Six deviations of a binomial.
  EXPECT_NEAR(static_cast<double>(replaced) / 5050.0, 0.3, 6.0 * std::sqrt(0.21 / 5050.0));
  EXPECT_NE(tokens, Replaced(singletons, {.seed = 3, .batch = 8}, lanes, 100));
  EXPECT_NE(tokens, Replaced(singletons, {.seed = 4, .batch = 7}, lanes, 100));
  const UnknownSingletons none;
  EXPECT_EQ(Replaced(none, {}, lanes, 2)[1], kOnce);
}

// A rank's part of a batch is what all of it has there.
TEST(UnknownSingletonsTest, DoesNotDependOnWhatElseIsInTheBatch) {
  const UnknownSingletons singletons({false, true, true}, kUnknown, 0.5);
  const worker::DropoutSite site = {.seed = 1, .batch = uint64_t{1} << 33};
  const auto all = Replaced(singletons, site, {3, 9, 12, 20}, 50);
  const auto part = Replaced(singletons, site, {9, 20}, 50);
  for (int64_t t = 0; t < 50; ++t) {
    EXPECT_EQ(part[2 * t] == kUnknown, all[4 * t + 1] == kUnknown) << t;
    EXPECT_EQ(part[2 * t + 1] == kUnknown, all[4 * t + 3] == kUnknown) << t;
  }
}

// A dataset of two texts to train on and one to test, of words 1 to 4.
class SingletonsOfTest : public testing::Test {
 protected:
  void Write(std::optional<uint32_t> unknown) const {
    io::SequenceDatasetWriter writer(
        path_, io::SequenceForm::kLabels,
        {{"text",
          io::SequenceField::Kind::kTokens,
          io::Vocabulary(io::TokenKind::kWord, {"<unk>", "a", "b", "c", "d"}, unknown),
          {}},
         {"label", io::SequenceField::Kind::kCategory, {}, {"no", "yes"}}});
    const std::vector<uint32_t> texts[] = {{1, 2, 2}, {3, 1}, {2, 4}}, label = {1};
    for (const auto& text : texts) {
      writer.Append(std::vector{io::SequenceValue{text, {}}, io::SequenceValue{label, {}}});
    }
    writer.Publish(std::array<uint64_t, 3>{2, 2, 3}, {});
  }
  UnknownSingletons Singletons() const {
    return UnknownSingletons::Of(io::SequenceDataset::Open(path_), "text", "train", 1.0);
  }

  const io::TemporaryFolder folder_;
  const std::filesystem::path path_ = folder_ / "texts.h5";
};

TEST_F(SingletonsOfTest, AreThoseOfTheSplit) {
  Write(0);
  std::vector<int32_t> tokens = {1, 2, 3, 4};
  Singletons().Replace({}, worker::PackedSteps::Uniform(4, 1), tokens);
  EXPECT_THAT(tokens, testing::ElementsAre(1, 2, 0, 4)) << "d comes once in the test split only";
}

TEST_F(SingletonsOfTest, NeedAnUnknownToken) {
  Write(std::nullopt);
  try {
    Singletons();
    FAIL() << "no error";
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), testing::AllOf(testing::HasSubstr("texts.h5"),
                                             testing::HasSubstr("data.unknown_singletons")));
  }
}

}  // namespace
}  // namespace lockstep::trainer
