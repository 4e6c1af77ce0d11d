#include "io/series/series_clock.h"

#include <optional>

#include <fmt/format.h>

#include "io/series/time_text.h"

namespace lockstep::io {
namespace {

// A wrong year must not fill the disk.
constexpr uint64_t kMostMissingRows = 10'000'000;

}  // namespace

SeriesClock::Step SeriesClock::StepFar(int64_t time, const Frequency& frequency,
                                       uint64_t* missing_rows) const {
  if (time <= last_time_) return Step::kNotLater;
  const std::optional<int64_t> number = StepsBetween(start_, time, frequency);
  if (!number) return Step::kBetween;
  *missing_rows = static_cast<uint64_t>(*number) - rows_;
  if (*missing_rows > kMostMissingRows) return Step::kFar;
  return *missing_rows == 0 ? Step::kNext : Step::kGap;
}

std::string SeriesClock::Expected(Step step, const Frequency& frequency) const {
  const int64_t next = TimeAt(start_, frequency, static_cast<int64_t>(rows_));
  const std::string rule =
      fmt::format("{}, one step of {} behind the row before ({})", TimeText(next),
                  FrequencyText(frequency), TimeText(last_time_));
  switch (step) {
    case Step::kGap:
      return rule +
             ". Say what shall stand in for missing rows with --missing forward, interpolate or "
             "mask";
    case Step::kFar:
      return fmt::format(
          "at most {} missing rows behind the row before ({}). Leave out what lies before the gap",
          kMostMissingRows, TimeText(last_time_));
    case Step::kNotLater:
      return fmt::format(
          "a time behind that of the row before ({}). Sort the rows of each series by "
          "time, and remove those that come twice",
          TimeText(last_time_));
    case Step::kBetween:
      return rule + ". Name another frequency with --frequency, or bring the rows to one distance";
    case Step::kNext:
      break;
  }
  return rule;
}

}  // namespace lockstep::io
