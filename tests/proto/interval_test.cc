#include "proto/interval.h"

#include <cmath>
#include <limits>
#include <stdexcept>

#include <gtest/gtest.h>

namespace lockstep::proto {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

TEST(IntervalTest, SquareBracketsIncludeTheBound) {
  const Interval closed("[-1, 2.5]");
  EXPECT_TRUE(closed.Contains(-1));
  EXPECT_TRUE(closed.Contains(2.5));
  EXPECT_FALSE(closed.Contains(std::nextafter(-1.0, -2.0)));
  EXPECT_FALSE(closed.Contains(std::nextafter(2.5, 3.0)));
}

TEST(IntervalTest, RoundBracketsLeaveTheBoundOut) {
  const Interval open("(0, 1)");
  EXPECT_FALSE(open.Contains(0));
  EXPECT_FALSE(open.Contains(1));
  EXPECT_TRUE(open.Contains(std::numeric_limits<double>::denorm_min()));
  EXPECT_TRUE(open.Contains(std::nextafter(1.0, 0.0)));
}

TEST(IntervalTest, InfinityIsABound) {
  const Interval all("(-inf, inf)");
  EXPECT_TRUE(all.Contains(-1e308));
  EXPECT_FALSE(all.Contains(kInfinity));
  EXPECT_FALSE(all.Contains(-kInfinity));
}

TEST(IntervalTest, NanIsNowhere) {
  EXPECT_FALSE(Interval("(-inf, inf)").Contains(std::nan("")));
  EXPECT_FALSE(Interval("[0, 1]").Contains(std::nan("")));
}

TEST(IntervalTest, RefusesWhatIsNoInterval) {
  for (const char* text : {"", "[]", "[,]", "0, 1", "[0, 1", "0, 1]", "[0 1]", "[0, ]", "[, 1]",
                           "[a, 1]", "[0, 1x]", "[0, 1, 2]", "[1, 0]", "(1, 1]", "[1, 1)"}) {
    EXPECT_THROW(Interval{text}, std::invalid_argument) << text;
  }
  EXPECT_TRUE(Interval("[1, 1]").Contains(1));
}

}  // namespace
}  // namespace lockstep::proto
