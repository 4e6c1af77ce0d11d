#include "trainer/tasks/forecast/calendar_features.h"

#include <algorithm>
#include <chrono>

namespace lockstep::trainer {
namespace {

using std::chrono::days;
using std::chrono::sys_days;
using std::chrono::year_month_day;

int64_t DayOfYear(sys_days day) {
  return (day - sys_days{year_month_day{day}.year() / std::chrono::January / 1}).count();
}

// From 0. ISO 8601: a week belongs to the year of its Thursday.
int64_t WeekOfYear(sys_days day) {
  const auto from_monday = std::chrono::weekday{day} - std::chrono::Monday;
  return DayOfYear(day - from_monday + days{3}) / 7;
}

struct Place {
  int64_t index, units;
};

Place PlaceOf(CalendarFeature feature, std::chrono::sys_seconds time) {
  const sys_days day = std::chrono::floor<days>(time);
  const std::chrono::hh_mm_ss clock{time - day};
  const year_month_day date{day};
  switch (feature) {
    case CalendarFeature::kHour:
      return {clock.hours().count(), 24};
    case CalendarFeature::kMinute:
      return {clock.minutes().count(), 60};
    case CalendarFeature::kWeekday:
      return {(std::chrono::weekday{day} - std::chrono::Monday).count(), 7};
    case CalendarFeature::kDayOfMonth:
      return {static_cast<unsigned>(date.day()) - 1, 31};
    case CalendarFeature::kDayOfYear:
      return {DayOfYear(day), 366};
    case CalendarFeature::kWeekOfYear:
      return {WeekOfYear(day), 53};
    case CalendarFeature::kMonth:
      return {static_cast<unsigned>(date.month()) - 1, 12};
  }
  throw std::logic_error("a calendar feature has no implementation");
}

}  // namespace

std::optional<CalendarFeature> CalendarFeatureOfName(std::string_view name) {
  const auto at = std::ranges::find(kCalendarFeatureNames, name);
  if (at == kCalendarFeatureNames.end()) return std::nullopt;
  return static_cast<CalendarFeature>(at - kCalendarFeatureNames.begin());
}

float CalendarValue(CalendarFeature feature, int64_t epoch_seconds) {
  const Place place =
      PlaceOf(feature, std::chrono::sys_seconds{std::chrono::seconds{epoch_seconds}});
  return static_cast<float>(
      static_cast<double>(place.index) / static_cast<double>(place.units - 1) - 0.5);
}

}  // namespace lockstep::trainer
