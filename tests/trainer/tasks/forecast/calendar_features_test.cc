#include "trainer/tasks/forecast/calendar_features.h"

#include <stdexcept>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lockstep::trainer {
namespace {

// Indices from Python's datetime: hour, minute, weekday(), day - 1, tm_yday - 1,
// isocalendar().week - 1, month - 1.
constexpr struct {
  int64_t seconds;
  int index[7];
} kMoments[] = {
    {0, {0, 0, 3, 0, 0, 0, 0}},                 // 1970-01-01T00:00 Thu
    {-60, {23, 59, 2, 30, 364, 0, 11}},         // 1969-12-31T23:59 Wed
    {1467379800, {13, 30, 4, 0, 182, 25, 6}},   // 2016-07-01T13:30 Fri
    {1609395300, {6, 15, 3, 30, 365, 52, 11}},  // 2020-12-31T06:15 Thu
    {1609632000, {0, 0, 6, 2, 2, 52, 0}},       // 2021-01-03T00:00 Sun
    {1709251140, {23, 59, 3, 28, 59, 8, 1}},    // 2024-02-29T23:59 Thu
    {-2203848000, {12, 0, 3, 0, 59, 8, 2}},     // 1900-03-01T12:00 Thu
    {4133898060, {1, 1, 4, 30, 364, 51, 11}},   // 2100-12-31T01:01 Fri
};
constexpr double kLast[7] = {23, 59, 6, 30, 365, 52, 11};

TEST(CalendarFeaturesTest, AsGluonTS) {
  for (const auto& moment : kMoments) {
    for (size_t f = 0; f < 7; ++f) {
      const CalendarFeature feature = CalendarFeatureOfName(kCalendarFeatureNames[f]).value();
      EXPECT_FLOAT_EQ(CalendarValue(feature, moment.seconds),
                      static_cast<float>(moment.index[f] / kLast[f] - 0.5))
          << kCalendarFeatureNames[f] << " at " << moment.seconds;
    }
  }
}

TEST(CalendarFeaturesTest, NamesAndFeaturesBelongTogether) {
  EXPECT_EQ(CalendarFeatureOfName("hour"), CalendarFeature::kHour);
  EXPECT_EQ(CalendarFeatureOfName("week_of_year"), CalendarFeature::kWeekOfYear);
  EXPECT_EQ(CalendarFeatureOfName("month"), CalendarFeature::kMonth);
  EXPECT_EQ(CalendarFeatureOfName("Hour"), std::nullopt);
}

}  // namespace
}  // namespace lockstep::trainer
