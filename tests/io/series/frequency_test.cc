#include "io/series/frequency.h"

#include <chrono>

#include <gtest/gtest.h>

namespace lockstep::io {
namespace {

using std::chrono::sys_days;
using namespace std::chrono_literals;

int64_t Day(std::chrono::year_month_day date) {
  return sys_days(date).time_since_epoch().count() * 86400;
}

Frequency Parsed(const char* text) { return FrequencyFromText(text).value(); }

TEST(FrequencyTest, TextsComeBackInTheirLargestUnit) {
  EXPECT_EQ(Parsed("15min"), (Frequency{900, 0}));
  EXPECT_EQ(Parsed("3mo"), (Frequency{0, 3}));
  EXPECT_TRUE(Parsed("none").none());
  for (const char* text : {"none", "10s", "15min", "1h", "36h", "1d", "1w", "1mo", "18mo", "1y"}) {
    EXPECT_EQ(FrequencyText(Parsed(text)), text);
  }
  EXPECT_EQ(FrequencyText(Parsed("7d")), "1w");
  EXPECT_EQ(FrequencyText(Parsed("24mo")), "2y");
  for (const char* text : {"", "h", "0h", "-1h", "1", "1m", "1 h", "1hour", "auto", "1.5h",
                           "99999999999999999999s", "99999999999d"}) {
    EXPECT_FALSE(FrequencyFromText(text)) << text;
  }
}

TEST(FrequencyTest, MonthsKeepTheDayWhereTheyHaveIt) {
  const Frequency month = Parsed("1mo");
  const int64_t start = Day(2023y / 1 / 30) + 3600;
  EXPECT_EQ(TimeAt(start, month, 0), start);
  EXPECT_EQ(TimeAt(start, month, 1), Day(2023y / 2 / 28) + 3600);
  EXPECT_EQ(TimeAt(start, month, 2), Day(2023y / 3 / 30) + 3600);
  EXPECT_EQ(TimeAt(start, month, -1), Day(2022y / 12 / 30) + 3600);
  EXPECT_EQ(TimeAt(start, month, -13), Day(2021y / 12 / 30) + 3600);
  EXPECT_EQ(TimeAt(start, Parsed("1y"), 1), Day(2024y / 1 / 30) + 3600);
}

TEST(FrequencyTest, TheEndOfTheMonthIsKept) {
  const int64_t start = Day(2024y / 2 / 29);
  EXPECT_EQ(TimeAt(start, Parsed("1mo"), 1), Day(2024y / 3 / 31));
  EXPECT_EQ(TimeAt(start, Parsed("1mo"), 2), Day(2024y / 4 / 30));
  EXPECT_EQ(TimeAt(start, Parsed("1y"), -1), Day(2023y / 2 / 28));
  EXPECT_EQ(FrequencyOf(start, Day(2024y / 3 / 31)), Parsed("1mo"));
}

TEST(FrequencyTest, StepsAreWhatTimeAtWent) {
  for (const char* text : {"10s", "1h", "1w", "1mo", "3mo", "1y"}) {
    for (const int64_t start :
         {Day(1969y / 12 / 31) + 7, Day(2020y / 1 / 31), Day(2021y / 6 / 15)}) {
      for (int64_t n = -40; n <= 40; ++n) {
        EXPECT_EQ(StepsBetween(start, TimeAt(start, Parsed(text), n), Parsed(text)), n) << text;
        EXPECT_FALSE(StepsBetween(start, TimeAt(start, Parsed(text), n) + 1, Parsed(text)));
      }
    }
  }
  EXPECT_FALSE(StepsBetween(Day(2021y / 6 / 15), Day(2021y / 7 / 15), Parsed("3mo")));
}

TEST(FrequencyTest, TwoTimesSuggestTheFrequency) {
  EXPECT_EQ(FrequencyOf(0, 900), Parsed("15min"));
  EXPECT_EQ(FrequencyOf(Day(2021y / 2 / 1), Day(2021y / 3 / 1)), Parsed("1mo"));
  EXPECT_EQ(FrequencyOf(Day(2021y / 1 / 1), Day(2022y / 1 / 1)), Parsed("1y"));
  EXPECT_EQ(FrequencyOf(Day(2021y / 2 / 1), Day(2021y / 3 / 2)), Parsed("29d"));
}

}  // namespace
}  // namespace lockstep::io
