#include "trainer/tasks/forecast/axis_ticks.h"

#include <chrono>
#include <cmath>
#include <random>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lockstep::trainer {
namespace {

using ::testing::ElementsAre;

// "label" or "label|below".
std::vector<std::string> Labels(const std::vector<Tick>& ticks) {
  std::vector<std::string> labels;
  for (const Tick& tick : ticks) {
    labels.push_back(tick.label + (tick.below.empty() ? "" : "|" + tick.below));
  }
  return labels;
}

int64_t Epoch(int year, unsigned month, unsigned day, int hour = 0, int minute = 0) {
  using namespace std::chrono;
  const sys_seconds time =
      sys_days{std::chrono::year{year} / month / day} + hours{hour} + minutes{minute};
  return time.time_since_epoch().count();
}

TEST(NumberTicksTest, RoundNumbers) {
  EXPECT_THAT(Labels(NumberTicks(-2.6, 3.2, 6).ticks), ElementsAre("−2", "−1", "0", "1", "2", "3"));
  EXPECT_THAT(Labels(NumberTicks(0.0, 1.0, 5).ticks),
              ElementsAre("0.0", "0.2", "0.4", "0.6", "0.8", "1.0"));
  EXPECT_THAT(Labels(NumberTicks(0.12, 0.29, 4).ticks), ElementsAre("0.15", "0.20", "0.25"));
  EXPECT_THAT(Labels(NumberTicks(800, 2600, 4).ticks),
              ElementsAre("1,000", "1,500", "2,000", "2,500"));
  EXPECT_THAT(Labels(NumberTicks(12000, 151000, 3).ticks),
              ElementsAre("50,000", "100,000", "150,000"));
}

// 0.9 - 0.3 is more than 0.6 in double, and 0.6 / 0.1 less than 6.
TEST(NumberTicksTest, RoundingMovesNoTick) {
  EXPECT_THAT(Labels(NumberTicks(0.3, 0.9, 3).ticks), ElementsAre("0.4", "0.6", "0.8"));
  EXPECT_THAT(Labels(NumberTicks(0.3, 0.6, 4).ticks), ElementsAre("0.3", "0.4", "0.5", "0.6"));
}

TEST(NumberTicksTest, LargeAndSmallNumbers) {
  const NumberAxis large = NumberTicks(0.78e9, 1.62e9, 5);
  EXPECT_EQ(large.factor, "×10⁹");
  EXPECT_THAT(Labels(large.ticks), ElementsAre("0.8", "1.0", "1.2", "1.4", "1.6"));
  EXPECT_DOUBLE_EQ(large.ticks[1].at, 1e9);

  const NumberAxis narrow = NumberTicks(1e9 - 1.2, 1e9 + 1.2, 3);
  EXPECT_EQ(narrow.factor, "");
  EXPECT_THAT(Labels(narrow.ticks), ElementsAre("999,999,999", "1,000,000,000", "1,000,000,001"));

  const NumberAxis small = NumberTicks(-6.2e-5, 1e-6, 4);
  EXPECT_EQ(small.factor, "×10⁻⁶");
  EXPECT_THAT(Labels(small.ticks), ElementsAre("−60", "−40", "−20", "0"));

  const NumberAxis huge = NumberTicks(1e12, 3e12, 2);
  EXPECT_EQ(huge.factor, "×10¹²");
  EXPECT_THAT(Labels(huge.ticks), ElementsAre("1", "2", "3"));
}

TEST(NumberTicksTest, StepsOfRowsAreWhole) {
  EXPECT_THAT(Labels(NumberTicks(3, 5, 10, 1.0).ticks), ElementsAre("3", "4", "5"));
  EXPECT_THAT(Labels(NumberTicks(7, 7.5, 10, 1.0).ticks), ElementsAre("7"));
}

// Whatever the range: within it, at least two, no more than asked for (and the one at the start).
TEST(NumberTicksTest, AnyRange) {
  std::mt19937_64 random(1);
  std::uniform_real_distribution<double> exponent(-30.0, 30.0), unit(-1.0, 1.0);
  for (int i = 0; i < 2000; ++i) {
    const double span = std::pow(10.0, exponent(random));
    const double low = span * 1000.0 * unit(random), high = low + span;
    const std::vector<Tick> ticks = NumberTicks(low, high, 6).ticks;
    ASSERT_GE(ticks.size(), 2u) << low << " " << high;
    ASSERT_LE(ticks.size(), 7u) << low << " " << high;
    EXPECT_GE(ticks.front().at, low - 1e-8 * span);
    EXPECT_LE(ticks.back().at, high + 1e-8 * span);
    for (size_t k = 1; k < ticks.size(); ++k) {
      EXPECT_GT(ticks[k].at, ticks[k - 1].at);
      EXPECT_NE(ticks[k].label, ticks[k - 1].label) << low << " " << high;
    }
  }
}

TEST(TimeTicksTest, Hours) {
  EXPECT_THAT(Labels(TimeTicks(Epoch(2017, 10, 24, 15), Epoch(2017, 10, 25, 13), 5)),
              ElementsAre("18:00|24 Oct 2017", "00:00|25 Oct 2017", "06:00", "12:00"));
  EXPECT_THAT(Labels(TimeTicks(Epoch(1969, 12, 31, 23, 40), Epoch(1970, 1, 1, 0, 10), 3)),
              ElementsAre("23:40|31 Dec 1969", "23:50", "00:00|1 Jan 1970", "00:10"));
}

TEST(TimeTicksTest, Seconds) {
  EXPECT_THAT(Labels(TimeTicks(31, 75, 4)),
              ElementsAre("00:00:45|1 Jan 1970", "00:01:00", "00:01:15"));
}

TEST(TimeTicksTest, DaysAndWeeks) {
  EXPECT_THAT(Labels(TimeTicks(Epoch(2015, 12, 30, 6), Epoch(2016, 1, 2, 6), 3)),
              ElementsAre("31 Dec|2015", "1 Jan|2016", "2 Jan"));
  // Mondays.
  EXPECT_THAT(Labels(TimeTicks(Epoch(2017, 10, 1), Epoch(2017, 10, 25), 4)),
              ElementsAre("2 Oct|2017", "9 Oct", "16 Oct", "23 Oct"));
}

TEST(TimeTicksTest, MonthsAndYears) {
  EXPECT_THAT(Labels(TimeTicks(Epoch(2015, 11, 2), Epoch(2016, 9, 1), 4)),
              ElementsAre("Jan|2016", "Apr", "Jul"));
  EXPECT_THAT(Labels(TimeTicks(Epoch(2015, 11, 1), Epoch(2016, 2, 1), 4)),
              ElementsAre("Nov|2015", "Dec", "Jan|2016", "Feb"));
  EXPECT_THAT(Labels(TimeTicks(Epoch(1949, 1, 1), Epoch(1960, 12, 1), 8)),
              ElementsAre("1950", "1952", "1954", "1956", "1958", "1960"));
  EXPECT_THAT(Labels(TimeTicks(Epoch(-100, 1, 1), Epoch(100, 6, 1), 5)),
              ElementsAre("-100", "-50", "0", "50", "100"));
}

// A thousandth of this is a hair more than half a year.
TEST(TimeTicksTest, YearsAreWhole) {
  const std::vector<Tick> ticks = TimeTicks(0, 15778476001, 1000);
  ASSERT_GE(ticks.size(), 500u);
  EXPECT_EQ(ticks[1].label, "1971");
}

TEST(TimeTicksTest, NoCloserThanRows) {
  constexpr int64_t kDay = 86400;
  EXPECT_THAT(Labels(TimeTicks(Epoch(2017, 10, 24), Epoch(2017, 10, 26), 10, kDay)),
              ElementsAre("24 Oct|2017", "25 Oct", "26 Oct"));
  EXPECT_THAT(Labels(TimeTicks(Epoch(2017, 10, 1), Epoch(2017, 12, 1), 10, 28 * kDay)),
              ElementsAre("Oct|2017", "Nov", "Dec"));
  EXPECT_THAT(Labels(TimeTicks(Epoch(2017, 1, 1), Epoch(2019, 1, 1), 10, 365 * kDay)),
              ElementsAre("2017", "2018", "2019"));
  // Rows of Sundays.
  EXPECT_THAT(Labels(TimeTicks(Epoch(2017, 10, 1), Epoch(2017, 10, 22), 10, 7 * kDay)),
              ElementsAre("1 Oct|2017", "8 Oct", "15 Oct", "22 Oct"));
}

TEST(TimeTicksTest, OneMoment) {
  EXPECT_THAT(Labels(TimeTicks(Epoch(2017, 10, 24), Epoch(2017, 10, 24), 5)),
              ElementsAre("24 Oct|2017"));
  EXPECT_THAT(Labels(TimeTicks(Epoch(2017, 10, 24, 9), Epoch(2017, 10, 24, 9), 5)),
              ElementsAre("09:00:00|24 Oct 2017"));
}

}  // namespace
}  // namespace lockstep::trainer
