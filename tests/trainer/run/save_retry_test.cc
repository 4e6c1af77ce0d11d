#include "trainer/run/save_retry.h"

#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lockstep::trainer {
namespace {

using std::chrono::minutes;

TEST(SaveRetryTest, WaitsLongerEachTimeForAnHour) {
  const SaveRetry::TimePoint start{};
  SaveRetry retry;
  EXPECT_FALSE(retry.pending());
  EXPECT_FALSE(retry.Due(start + minutes(1000)));
  std::vector<int> tries;  // the minutes at which one failed
  for (int minute = 0; !retry.IsOver() && minute < 1000; ++minute) {
    if (retry.pending() && !retry.Due(start + minutes(minute))) continue;
    tries.push_back(minute);
    retry.Failed(start + minutes(minute));
    EXPECT_TRUE(retry.pending());
    EXPECT_FALSE(retry.Due(start + minutes(minute)));
  }
  EXPECT_THAT(tries, testing::ElementsAre(0, 1, 3, 7, 15, 25, 35, 45, 55, 65));
}

// The job was suspended for hours after the first failure.
TEST(SaveRetryTest, IsNotOverAfterFewTries) {
  const SaveRetry::TimePoint start{};
  SaveRetry retry;
  for (const int minute : {0, 300, 302}) retry.Failed(start + minutes(minute));
  EXPECT_FALSE(retry.IsOver());
}

TEST(SaveRetryTest, BeginsAnewAfterASuccess) {
  const SaveRetry::TimePoint start{};
  SaveRetry retry;
  for (const int minute : {0, 30, 59}) retry.Failed(start + minutes(minute));
  EXPECT_FALSE(retry.IsOver());
  retry.Succeeded();
  EXPECT_FALSE(retry.pending());
  retry.Failed(start + minutes(70));
  EXPECT_FALSE(retry.IsOver());
  EXPECT_EQ(retry.Wait(), minutes(1));
}

}  // namespace
}  // namespace lockstep::trainer
