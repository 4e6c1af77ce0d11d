#include "trainer/run/train_loop.h"

#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/trainer/run/small_task.h"
#include "trainer/exit_status.h"

namespace lockstep::trainer {
namespace {

using ::testing::HasSubstr;

proto::Training Config(const std::string& override) {
  return proto::ParseRunConfig("", "the test", std::vector<std::string>{override}).training();
}

TEST(LengthOfTest, TheLastUpdateOfAnEpochMayBeShort) {
  proto::Training config = Config("training.epochs=3");
  config.set_accumulate_batches(4);
  EXPECT_EQ(LengthOf(config, 10).steps_per_epoch, 3);
  EXPECT_EQ(LengthOf(config, 10).total_steps, 9);
  config.set_steps(7);
  EXPECT_EQ(LengthOf(config, 10).total_steps, 7);
}

TEST(LengthOfTest, MoreStepsThanCanBeCountedAreAnError) {
  const proto::Training config = Config("training.epochs=1000000000");
  // Of 2^63 - 1 steps in all the largest whole number of epochs, and one step an epoch more.
  const int64_t most = std::numeric_limits<int64_t>::max() / 1'000'000'000;
  EXPECT_EQ(LengthOf(config, most).total_steps, most * 1'000'000'000);
  try {
    LengthOf(config, most + 1);
    FAIL() << "an overflow";
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), HasSubstr("training.epochs 1000000000 x 9223372037 steps"));
  }
}

TEST(MostBadStepsTest, IsBelowTheLengthOfTheRun) {
  EXPECT_EQ(MostBadSteps(1'000'000), 50);
  EXPECT_EQ(MostBadSteps(51), 50);
  EXPECT_EQ(MostBadSteps(20), 19);
  EXPECT_EQ(MostBadSteps(1), 1);
}

TEST(MetricIndexTest, AnUnknownMetricIsAnErrorThatNamesThoseThereAre) {
  const SmallTask task{SmallModel()};
  EXPECT_EQ(MetricIndex(task, "loss"), 0u);
  EXPECT_EQ(MetricIndex(task, "accuracy"), 1u);
  try {
    MetricIndex(task, "perplexity");
    FAIL() << "an unknown metric";
  } catch (const UsageError& error) {
    EXPECT_THAT(error.what(), HasSubstr("\"perplexity\"; allowed: loss, accuracy"));
  }
}

}  // namespace
}  // namespace lockstep::trainer
