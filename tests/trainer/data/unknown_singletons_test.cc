#include "trainer/data/unknown_singletons.h"

#include <cmath>
#include <cstdint>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lockstep::trainer {
namespace {

constexpr int32_t kUnknown = 0, kOnce = 1, kOften = 2;

std::vector<int32_t> Replaced(const UnknownSingletons& singletons, const BatchPlace& place,
                              const std::vector<int64_t>& lanes, int64_t time_steps) {
  std::vector<int32_t> tokens;
  for (int64_t row = 0; row < time_steps * std::ssize(lanes); ++row) {
    tokens.push_back(row % 2 ? kOnce : kOften);
  }
  singletons.Replace(place, lanes, worker::PackedSteps::Uniform(time_steps, std::ssize(lanes)),
                     tokens);
  return tokens;
}

TEST(UnknownSingletonsTest, ReplacesThemWithTheProbability) {
  const UnknownSingletons singletons({false, true, false}, kUnknown, 0.3);
  std::vector<int64_t> lanes(101);
  for (int64_t i = 0; i < 101; ++i) lanes[i] = 5 * i;
  const auto tokens = Replaced(singletons, {.seed = 3, .total_batches = 7}, lanes, 100);
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
  EXPECT_NE(tokens, Replaced(singletons, {.seed = 3, .total_batches = 8}, lanes, 100));
  EXPECT_NE(tokens, Replaced(singletons, {.seed = 4, .total_batches = 7}, lanes, 100));
  const UnknownSingletons none;
  EXPECT_EQ(Replaced(none, {}, lanes, 2)[1], kOnce);
}

// A rank's part of a batch is what all of it has there.
TEST(UnknownSingletonsTest, DoesNotDependOnWhatElseIsInTheBatch) {
  const UnknownSingletons singletons({false, true, true}, kUnknown, 0.5);
  const BatchPlace place = {.seed = 1, .total_batches = int64_t{1} << 33};
  const auto all = Replaced(singletons, place, {3, 9, 12, 20}, 50);
  const auto part = Replaced(singletons, place, {9, 20}, 50);
  for (int64_t t = 0; t < 50; ++t) {
    EXPECT_EQ(part[2 * t] == kUnknown, all[4 * t + 1] == kUnknown) << t;
    EXPECT_EQ(part[2 * t + 1] == kUnknown, all[4 * t + 3] == kUnknown) << t;
  }
}

}  // namespace
}  // namespace lockstep::trainer
