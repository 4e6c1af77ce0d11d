#include "worker/layers/packed_steps.h"

#include <stdexcept>
#include <vector>

#include <gtest/gtest.h>

namespace lockstep::worker {
namespace {

TEST(PackedStepsTest, RowsOfUnequalItems) {
  const std::vector<int64_t> lengths = {4, 2, 2, 1};
  const PackedSteps steps = PackedSteps::OfLengths(lengths);
  EXPECT_FALSE(steps.is_uniform());
  EXPECT_EQ(steps.time_steps(), 4);
  EXPECT_EQ(steps.items(), 4);
  EXPECT_EQ(steps.rows(), 9);
  // Items 0123, 012, 0, 0.
  const int64_t items[] = {4, 3, 1, 1}, first[] = {0, 4, 7, 8, 9}, last[] = {8, 5, 6, 3};
  for (int64_t t = 0; t < 4; ++t) EXPECT_EQ(steps.items_at(t), items[t]) << t;
  for (int64_t t = 0; t <= 4; ++t) EXPECT_EQ(steps.first_row(t), first[t]) << t;
  for (int64_t i = 0; i < 4; ++i) {
    EXPECT_EQ(steps.length(i), lengths[i]) << i;
    EXPECT_EQ(steps.last_row(i), last[i]) << i;
  }
  for (int64_t row = 0; row < 9; ++row) {
    const int64_t t = steps.time_step_of(row);
    EXPECT_TRUE(first[t] <= row && row < first[t + 1]) << row;
  }
}

TEST(PackedStepsTest, EqualItemsAreUniform) {
  const PackedSteps steps = PackedSteps::OfLengths(std::vector<int64_t>{3, 3});
  EXPECT_TRUE(steps.is_uniform());
  EXPECT_EQ(steps.rows(), 6);
  EXPECT_EQ(steps.last_row(1), 5);
  EXPECT_EQ(steps.time_step_of(3), 1);
  EXPECT_EQ(PackedSteps::OfLengths({}).rows(), 0);
}

TEST(PackedStepsTest, RefusesOtherOrders) {
  EXPECT_THROW(PackedSteps::OfLengths(std::vector<int64_t>{2, 3}), std::invalid_argument);
  EXPECT_THROW(PackedSteps::OfLengths(std::vector<int64_t>{2, 0}), std::invalid_argument);
}

}  // namespace
}  // namespace lockstep::worker
