// Numbers and times in the cells of tables.

#include <cmath>
#include <cstdlib>
#include <limits>
#include <string>

#include <gtest/gtest.h>

#include "io/series/number_text.h"
#include "io/series/time_text.h"

namespace lockstep::io {
namespace {

TEST(NumberTextTest, NumbersAreReadAsStrtodReadsThem) {
  for (const std::string text : {"0",
                                 "-0",
                                 "1",
                                 "+1",
                                 "1.",
                                 ".5",
                                 "-.5",
                                 "5.827000141143799",
                                 "1.5989999771118164",
                                 "27.78700065612793",
                                 "123456789012345678901234567890",
                                 "0.000000000000000000000000000001",
                                 "1e5",
                                 "1E-5",
                                 "-2.5e+3",
                                 "9007199254740993",
                                 "0.1000000000000000055511151231257827",
                                 "999999999999999999",
                                 "3.4028234e38",
                                 "1e-45",
                                 "1e-320",
                                 "1e-400",
                                 "000012.50"}) {
    float value = -1;
    ASSERT_EQ(ParseNumber(text, '.', &value), CellKind::kNumber) << text;
    EXPECT_EQ(value, static_cast<float>(std::strtod(text.c_str(), nullptr))) << text;
  }
  uint64_t state = 1;
  for (int i = 0; i < 20000; ++i) {
    state = state * 6364136223846793005u + 1442695040888963407u;
    char text[64];
    const double number = std::ldexp(static_cast<double>(state >> 11) - (1ll << 52), -(i % 80));
    std::snprintf(text, sizeof(text), i % 3 == 0 ? "%.17g" : i % 3 == 1 ? "%.3f" : "%.8e", number);
    float value = -1;
    ASSERT_EQ(ParseNumber(text, '.', &value), CellKind::kNumber) << text;
    ASSERT_EQ(value, static_cast<float>(std::strtod(text, nullptr))) << text;
  }
}

TEST(NumberTextTest, WhatIsNoNumber) {
  float value = 0;
  for (const char* text : {"", "NaN", "nan", "NA", "n/a", "NULL", "None"}) {
    EXPECT_EQ(ParseNumber(text, '.', &value), CellKind::kMissing) << text;
  }
  for (const char* text : {"x", "1x", "1,5", "1.2.3", "-", "+", ".", "+-1", "--1", "inf", "-inf",
                           "0x10", "1e", "1e400", "1e39", "nan(1)", "1 2", "1_000"}) {
    EXPECT_EQ(ParseNumber(text, '.', &value), CellKind::kOther) << text;
  }
}

TEST(NumberTextTest, DecimalComma) {
  float value = 0;
  EXPECT_EQ(ParseNumber("-1,5", ',', &value), CellKind::kNumber);
  EXPECT_EQ(value, -1.5f);
  EXPECT_EQ(ParseNumber("1,59899997711181640001", ',', &value), CellKind::kNumber);
  EXPECT_EQ(value, 1.5989999771118164f);
  EXPECT_EQ(ParseNumber("1.5", ',', &value), CellKind::kOther);
}

TEST(TimeTextTest, TimesAreRead) {
  const int64_t midnight = 1467331200;  // 2016-07-01, by date -u +%s
  for (const char* text :
       {"2016-07-01", "2016-07", "2016/07/01", "2016-07-01 00:00", "2016-07-01T00:00:00Z",
        "2016-07-01 00:00:00.000", "2016-07-01T02:00:00+02:00", "2016-07-01T02:00:00+0200",
        "2016-06-30T19:00:00-05", "2016-07-01 00:00:00 +00:00", "1467331200", "1467331200.0"}) {
    EXPECT_EQ(ParseTime(text), midnight) << text;
  }
  EXPECT_EQ(ParseTime("2016-07-01 13:45:59"), midnight + 13 * 3600 + 45 * 60 + 59);
  EXPECT_EQ(ParseTime("1969-12-31 23:59:59"), -1);
  EXPECT_EQ(ParseTime("-5"), -5);
  EXPECT_EQ(ParseTime("2016"), 2016);
  for (const char* text : {"", "x", "2016-13-01", "2016-02-30", "2016-07-01 24:00:00",
                           "2016-07-01 00:60", "2016-07-01 00:00:00.5", "2016-07-01 00",
                           "2016-07/01", "2016-7-1", "01.07.2016", "2016-07-01 00:00:00 x",
                           "2016-07-01T00:00:00+2", "1.5", "99999999999999999999", "2016-07-"}) {
    EXPECT_FALSE(ParseTime(text)) << text;
  }
}

TEST(TimeTextTest, TimesComeBack) {
  for (int64_t time = -3'000'000'000; time < 5'000'000'000; time += 7'777'777) {
    EXPECT_EQ(ParseTime(TimeText(time)), time);
  }
  EXPECT_EQ(TimeText(1467331200), "2016-07-01 00:00:00");
}

}  // namespace
}  // namespace lockstep::io
