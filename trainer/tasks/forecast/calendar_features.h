#ifndef LOCKSTEP_TRAINER_TASKS_FORECAST_CALENDAR_FEATURES_H_
#define LOCKSTEP_TRAINER_TASKS_FORECAST_CALENDAR_FEATURES_H_

#include <array>
#include <cstdint>
#include <optional>
#include <string_view>

namespace lockstep::trainer {

/// Where a moment lies in a cycle of the calendar (UTC, proleptic Gregorian), from -0.5 at the
/// start of the cycle to 0.5 in its last unit: index / (units - 1) - 0.5, as the time features of
/// GluonTS.
enum class CalendarFeature {
  kHour,        ///< of the day, 24 units
  kMinute,      ///< of the hour, 60
  kWeekday,     ///< from Monday, 7
  kDayOfMonth,  ///< 31, whatever the month
  kDayOfYear,   ///< 366, whatever the year
  kWeekOfYear,  ///< ISO 8601, 53, whatever the year
  kMonth,       ///< 12
};

/// In the order of the enumeration.
inline constexpr std::array<std::string_view, 7> kCalendarFeatureNames = {
    "hour", "minute", "weekday", "day_of_month", "day_of_year", "week_of_year", "month"};

/// None for an unknown name.
std::optional<CalendarFeature> CalendarFeatureOfName(std::string_view name);

/// The feature at `epoch_seconds` since 1970-01-01T00:00:00Z, negative before; years -32767 to
/// 32767.
float CalendarValue(CalendarFeature feature, int64_t epoch_seconds);

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_FORECAST_CALENDAR_FEATURES_H_
