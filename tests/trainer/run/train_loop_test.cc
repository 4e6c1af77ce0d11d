#include "trainer/run/train_loop.h"

#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "trainer/exit_status.h"

namespace lockstep::trainer {
namespace {

using ::testing::HasSubstr;

proto::Training Config(const std::string& override) {
  return proto::ParseRunConfig("", "the test", std::vector<std::string>{override}).training();
}

TEST(LengthOfTest, TheLastUpdateOfAnEpochMayBeShort) {
  const LaneLayout layout({"train", 0, 1001}, 10, 10);  // 10 batches
  proto::Training config = Config("training.epochs=3");
  config.set_accumulate_batches(4);
  EXPECT_EQ(LengthOf(config, layout).steps_per_epoch, 3);
  EXPECT_EQ(LengthOf(config, layout).total_steps, 9);
  config.set_steps(7);
  EXPECT_EQ(LengthOf(config, layout).total_steps, 7);
}

TEST(LengthOfTest, MoreStepsThanCanBeCountedAreAnError) {
  const proto::Training config = Config("training.epochs=1000000000");
  // Of 2^63 - 1 steps in all the largest whole number of epochs, and one step an epoch more.
  const int64_t most = std::numeric_limits<int64_t>::max() / 1'000'000'000;
  EXPECT_EQ(
      LengthOf(config, LaneLayout({"train", 0, static_cast<uint64_t>(most) + 1}, 1, 1)).total_steps,
      most * 1'000'000'000);
  try {
    LengthOf(config, LaneLayout({"train", 0, static_cast<uint64_t>(most) + 2}, 1, 1));
    FAIL() << "an overflow";
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), HasSubstr("training.epochs 1000000000 x 9223372037 steps"));
  }
}

TEST(HopelessLossTest, IsFarAboveWhatATrainingBeginsWith) {
  EXPECT_NEAR(HopelessLoss(100, 0.0), 2 * std::log(100.0) + 1, 1e-12);
  EXPECT_NEAR(HopelessLoss(100, 4.0), 2 * std::log(100.0) + 1, 1e-12);
  EXPECT_NEAR(HopelessLoss(100, 20.0), 41.0, 1e-12);
  EXPECT_EQ(MostBadSteps(1'000'000), 50);
  EXPECT_EQ(MostBadSteps(51), 50);
  EXPECT_EQ(MostBadSteps(20), 19);
  EXPECT_EQ(MostBadSteps(1), 1);
}

}  // namespace
}  // namespace lockstep::trainer
