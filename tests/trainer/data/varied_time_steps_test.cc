#include "trainer/data/varied_time_steps.h"

#include <algorithm>
#include <cmath>
#include <map>
#include <numeric>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lockstep::trainer {
namespace {

TEST(VariedTimeStepsTest, EveryEpochHasAllOfThemInAnotherOrder) {
  for (const int64_t total : {1, 4, 5, 63, 1000, 100'000}) {
    std::vector<int64_t> first = VariedTimeSteps(total, 70, 3, 0);
    std::vector<int64_t> second = VariedTimeSteps(total, 70, 3, 1);
    EXPECT_EQ(std::accumulate(first.begin(), first.end(), int64_t{0}), total);
    EXPECT_EQ(first, VariedTimeSteps(total, 70, 3, 0));
    if (total > 500) {
      EXPECT_NE(first, second);
      EXPECT_NE(first, VariedTimeSteps(total, 70, 4, 0));
    }
    std::ranges::sort(first);
    std::ranges::sort(second);
    EXPECT_EQ(first, second) << "so that epochs have as many batches";
  }
}

// 95% about 70 and 5% about 35, deviation 5; the rounding adds 1 / 12 to the variance.
TEST(VariedTimeStepsTest, AreDistributedAsPublished) {
  const std::vector<int64_t> lengths = VariedTimeSteps(2'000'000, 70, 1, 0);
  const auto n = static_cast<double>(lengths.size());
  std::vector<double> full, half;
  for (const int64_t length : lengths) {
    (length > 52 ? full : half).push_back(static_cast<double>(length));
  }
  EXPECT_NEAR(std::ssize(half) / n, 0.05, 5 * std::sqrt(0.05 * 0.95 / n));
  for (const auto& [values, middle] : {std::pair(full, 70.0), std::pair(half, 35.0)}) {
    const auto count = static_cast<double>(values.size());
    double mean = 0.0, variance = 0.0;
    for (const double x : values) mean += x / count;
    for (const double x : values) variance += (x - mean) * (x - mean) / count;
    EXPECT_NEAR(mean, middle, 5 * 5 / std::sqrt(count));
    EXPECT_NEAR(std::sqrt(variance), 5.0, 5 * 5 / std::sqrt(2 * count) + 0.01);
    const auto near =
        std::ranges::count_if(values, [&](double x) { return std::abs(x - middle) < 5.5; });
    // P(|x| < 1.1) of a normal distribution.
    EXPECT_NEAR(static_cast<double>(near) / count, 0.7287, 5 * std::sqrt(0.2 / count) + 0.003);
  }
  EXPECT_LE(std::ranges::max(lengths), 70 + kMostMoreTimeSteps);
}

TEST(VariedTimeStepsTest, AreFiveAtLeastButForTheRest) {
  std::vector<int64_t> lengths = VariedTimeSteps(10'000, 6, 1, 0);
  std::ranges::sort(lengths);
  EXPECT_EQ(lengths[1], 5);
  EXPECT_GE(lengths[0], 1);
}

}  // namespace
}  // namespace lockstep::trainer
