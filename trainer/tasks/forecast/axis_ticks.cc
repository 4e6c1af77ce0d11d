#include "trainer/tasks/forecast/axis_ticks.h"

#include <algorithm>
#include <chrono>
#include <cmath>
#include <string_view>

#include <fmt/format.h>

namespace lockstep::trainer {
namespace {

using std::chrono::days;
using std::chrono::months;
using std::chrono::sys_days;
using std::chrono::sys_seconds;
using std::chrono::year_month;
using std::chrono::year_month_day;

constexpr std::string_view kMonthNames[] = {"Jan", "Feb", "Mar", "Apr", "May", "Jun",
                                            "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"};

constexpr int64_t kMinute = 60, kHour = 60 * kMinute, kDay = 24 * kHour, kWeek = 7 * kDay;
constexpr int64_t kClockSteps[] = {
    1,        2,           5,           10,           15,           30,
    kMinute,  2 * kMinute, 5 * kMinute, 10 * kMinute, 15 * kMinute, 30 * kMinute,
    kHour,    2 * kHour,   3 * kHour,   6 * kHour,    12 * kHour,   kDay,
    2 * kDay, kWeek,       2 * kWeek};
constexpr int64_t kMonthSteps[] = {1, 2, 3, 6};
constexpr double kSecondsOfMonth = 365.2425 / 12 * kDay;

// mantissa * 10^exponent
struct RoundStep {
  int mantissa = 1, exponent = 0;

  double Times(double count) const {
    const double power = std::pow(10.0, std::abs(exponent));
    return exponent < 0 ? count * mantissa / power : count * mantissa * power;
  }
};

// The smallest that is not below `least`.
RoundStep RoundUp(double least) {
  RoundStep step{1, static_cast<int>(std::floor(std::log10(least)))};
  for (const int mantissa : {1, 2, 5}) {
    step.mantissa = mantissa;
    if (step.Times(1.0) >= least * (1.0 - 1e-9)) return step;
  }
  return {1, step.exponent + 1};
}

// A power of a thousand that the labels need not show, 0 where they should.
int CommonExponent(double low, double high, const RoundStep& step) {
  constexpr int kMostDecimals = 4;
  const double size = std::max(std::abs(low), std::abs(high));
  if (size >= 1e-3 && size < 1e6) return 0;
  const int exponent = 3 * static_cast<int>(std::floor(std::log10(size) / 3.0));
  // 1e9 +- 1: better all digits than 1.000000001.
  return exponent > 0 && exponent - step.exponent > kMostDecimals ? 0 : exponent;
}

std::string Label(double value, int decimals) {
  std::string text = fmt::format("{:.{}f}", std::abs(value), decimals);
  const auto point = std::min(text.find('.'), text.size());
  for (auto at = static_cast<int>(point) - 3; at > 0; at -= 3) text.insert(at, 1, ',');
  return value < 0.0 ? "\u2212" + text : text;
}

std::string PowerOfTen(int exponent) {
  constexpr std::string_view kDigits[] = {"⁰", "¹", "²", "³", "⁴", "⁵", "⁶", "⁷", "⁸", "⁹"};
  std::string text = exponent < 0 ? "×10⁻" : "×10";
  for (const char digit : std::to_string(std::abs(exponent))) text += kDigits[digit - '0'];
  return text;
}

std::string DayAndMonth(const year_month_day& date) {
  return fmt::format("{} {}", static_cast<unsigned>(date.day()),
                     kMonthNames[static_cast<unsigned>(date.month()) - 1]);
}

// `below` only where it differs from the tick before.
void AddTick(std::vector<Tick>& ticks, std::string& last_below, int64_t at, std::string label,
             std::string below) {
  ticks.push_back({static_cast<double>(at), std::move(label), below == last_below ? "" : below});
  last_below = std::move(below);
}

// At `from` and multiples of `step` from there.
std::vector<Tick> ClockTicks(int64_t first, int64_t last, int64_t step, int64_t from) {
  std::vector<Tick> ticks;
  std::string below;
  const int64_t past = ((first - from) % step + step) % step;
  for (int64_t at = past == 0 ? first : first - past + step; at <= last; at += step) {
    const sys_seconds time{std::chrono::seconds{at}};
    const sys_days day = std::chrono::floor<days>(time);
    const year_month_day date{day};
    const std::chrono::hh_mm_ss clock{time - day};
    const int year = static_cast<int>(date.year());
    if (step >= kDay) {
      AddTick(ticks, below, at, DayAndMonth(date), fmt::format("{}", year));
      continue;
    }
    std::string label = fmt::format("{:02}:{:02}", clock.hours().count(), clock.minutes().count());
    if (step < kMinute) label += fmt::format(":{:02}", clock.seconds().count());
    AddTick(ticks, below, at, std::move(label), fmt::format("{} {}", DayAndMonth(date), year));
  }
  return ticks;
}

std::vector<Tick> MonthTicks(int64_t first, int64_t last, int64_t step) {
  const year_month_day start{std::chrono::floor<days>(sys_seconds{std::chrono::seconds{first}})};
  const int64_t index =
      int64_t{12} * static_cast<int>(start.year()) + static_cast<unsigned>(start.month()) - 1;
  std::vector<Tick> ticks;
  std::string below;
  for (int64_t month = index - (index % step + step) % step;; month += step) {
    const auto date = year_month{std::chrono::year{0}, std::chrono::January} / 1 + months{month};
    const int64_t at = sys_seconds{sys_days{date}}.time_since_epoch().count();
    if (at > last) return ticks;
    if (at < first) continue;
    const std::string year = fmt::format("{}", static_cast<int>(date.year()));
    if (step % 12 == 0) {
      AddTick(ticks, below, at, year, "");
    } else {
      AddTick(ticks, below, at, std::string(kMonthNames[static_cast<unsigned>(date.month()) - 1]),
              year);
    }
  }
}

}  // namespace

NumberAxis NumberTicks(double low, double high, int most, double least_step) {
  const RoundStep step = RoundUp(std::max((high - low) / most, least_step));
  const int exponent = CommonExponent(low, high, step);
  const int decimals = std::max(0, exponent - step.exponent);
  NumberAxis axis;
  if (exponent != 0) axis.factor = PowerOfTen(exponent);
  constexpr double kSlack = 1e-9;  // of a step: a bound that is a round number gets its tick
  const double size = step.Times(1.0);
  for (double i = std::ceil(low / size - kSlack); i <= std::floor(high / size + kSlack); ++i) {
    const double at = step.Times(i);
    axis.ticks.push_back({at, Label(at / std::pow(10.0, exponent), decimals), ""});
  }
  return axis;
}

std::vector<Tick> TimeTicks(int64_t first, int64_t last, int most, int64_t row_seconds) {
  constexpr int64_t kFirstMonday = 4 * kDay;
  const double least =
      std::max(static_cast<double>(last - first) / most, static_cast<double>(row_seconds));
  for (const int64_t step : kClockSteps) {
    // Alone, a time at midnight is a date.
    if (first == last && first % kDay == 0 && step < kDay) continue;
    if (static_cast<double>(step) < least) continue;
    const int64_t week = row_seconds % kWeek == 0 ? first : kFirstMonday;
    return ClockTicks(first, last, step, step >= kWeek ? week : 0);
  }
  for (const int64_t step : kMonthSteps) {
    if (static_cast<double>(step) * kSecondsOfMonth >= least) return MonthTicks(first, last, step);
  }
  const RoundStep years = RoundUp(std::max(1.0, least / (12.0 * kSecondsOfMonth)));
  return MonthTicks(first, last, 12 * static_cast<int64_t>(years.Times(1.0)));
}

}  // namespace lockstep::trainer
