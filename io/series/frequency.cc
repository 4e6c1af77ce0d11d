#include "io/series/frequency.h"

#include <algorithm>
#include <charconv>
#include <chrono>
#include <utility>

#include <fmt/format.h>

namespace lockstep::io {
namespace {

constexpr int64_t kDaySeconds = 86400;
constexpr int64_t kMostCount = 1'000'000'000;

struct Unit {
  std::string_view name;
  Frequency frequency;
};
// The largest first.
constexpr Unit kUnits[] = {{"y", {0, 12}},
                           {"mo", {0, 1}},
                           {"w", {7 * kDaySeconds, 0}},
                           {"d", {kDaySeconds, 0}},
                           {"h", {3600, 0}},
                           {"min", {60, 0}},
                           {"s", {1, 0}}};

// A time as calendars have it.
struct CalendarTime {
  int64_t month = 0;  // since January of year 0
  int64_t day = 0;    // from 1
  bool last_day = false;
  int64_t second = 0;  // of the day
};

std::chrono::year_month MonthOf(int64_t month) {
  const int64_t year = month >= 0 ? month / 12 : -((11 - month) / 12);
  return std::chrono::year(static_cast<int>(year)) /
         std::chrono::month(static_cast<unsigned>(month - 12 * year + 1));
}

int64_t LastDay(int64_t month) { return unsigned{(MonthOf(month) / std::chrono::last).day()}; }

CalendarTime Calendar(int64_t time) {
  const std::chrono::sys_seconds point{std::chrono::seconds(time)};
  const auto day = std::chrono::floor<std::chrono::days>(point);
  const std::chrono::year_month_day date{day};
  CalendarTime calendar;
  calendar.month = int64_t{int{date.year()}} * 12 + unsigned{date.month()} - 1;
  calendar.day = unsigned{date.day()};
  calendar.last_day = calendar.day == LastDay(calendar.month);
  calendar.second = (point - day).count();
  return calendar;
}

int64_t TimeOf(const CalendarTime& calendar) {
  const int64_t last = LastDay(calendar.month);
  const auto day = static_cast<unsigned>(calendar.last_day ? last : std::min(calendar.day, last));
  const std::chrono::sys_days date{MonthOf(calendar.month) / std::chrono::day(day)};
  return date.time_since_epoch().count() * kDaySeconds + calendar.second;
}

}  // namespace

std::optional<Frequency> FrequencyFromText(std::string_view text) {
  if (text == "none") return Frequency{};
  int64_t count = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, count);
  if (error != std::errc() || count < 1 || count > kMostCount) return std::nullopt;
  const std::string_view name(rest, static_cast<size_t>(end - rest));
  for (const Unit& unit : kUnits) {
    if (name == unit.name)
      return Frequency{count * unit.frequency.seconds, count * unit.frequency.months};
  }
  return std::nullopt;
}

std::string FrequencyText(const Frequency& frequency) {
  for (const Unit& unit : kUnits) {
    const int64_t whole =
        unit.frequency.months > 0 ? unit.frequency.months : unit.frequency.seconds;
    const int64_t value = unit.frequency.months > 0 ? frequency.months : frequency.seconds;
    if (value > 0 && value % whole == 0) return fmt::format("{}{}", value / whole, unit.name);
  }
  return "none";
}

int64_t TimeAt(int64_t start, const Frequency& frequency, int64_t n) {
  if (frequency.months == 0) return start + n * frequency.seconds;
  CalendarTime calendar = Calendar(start);
  calendar.month += n * frequency.months;
  return TimeOf(calendar);
}

std::optional<int64_t> StepsBetween(int64_t start, int64_t time, const Frequency& frequency) {
  if (frequency.months == 0) {
    const int64_t distance = time - start;
    if (distance % frequency.seconds != 0) return std::nullopt;
    return distance / frequency.seconds;
  }
  const int64_t months = Calendar(time).month - Calendar(start).month;
  if (months % frequency.months != 0) return std::nullopt;
  const int64_t steps = months / frequency.months;
  if (TimeAt(start, frequency, steps) != time) return std::nullopt;
  return steps;
}

Frequency FrequencyOf(int64_t earlier, int64_t later) {
  const Frequency months = {0, Calendar(later).month - Calendar(earlier).month};
  if (months.months > 0 && TimeAt(earlier, months, 1) == later) return months;
  return {later - earlier, 0};
}

}  // namespace lockstep::io
