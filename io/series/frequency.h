#ifndef LOCKSTEP_IO_SERIES_FREQUENCY_H_
#define LOCKSTEP_IO_SERIES_FREQUENCY_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lockstep::io {

/// The distance of a series' rows in time: a number of seconds, or of calendar months, or none (the
/// rows are only numbered). At most one of the two is above 0.
struct Frequency {
  int64_t seconds = 0;
  int64_t months = 0;
  bool none() const { return seconds == 0 && months == 0; }
  bool operator==(const Frequency&) const = default;
};

/// "10s", "15min", "1h", "1d", "1w", "1mo", "1y", "none"; nullopt for any other text. "auto" is the
/// importer's own.
std::optional<Frequency> FrequencyFromText(std::string_view text);
/// The same form, in the largest unit that gives a whole number: "1w", not "7d".
std::string FrequencyText(const Frequency& frequency);

/// The time of row `n` (which may be negative) when row 0 is at `start`; seconds since 1970 UTC.
/// Months are calendar months: the hour and the day of the month stay, where the month has that
/// day, else its last day is taken; a start on the last day of a month gives last days throughout
/// (29 February, 31 March, 30 April). `start` without a frequency.
int64_t TimeAt(int64_t start, const Frequency& frequency, int64_t n);

/// The n of TimeAt(start, frequency, n) == time; nullopt when no row stands at that time. Requires
/// a frequency.
std::optional<int64_t> StepsBetween(int64_t start, int64_t time, const Frequency& frequency);

/// The frequency that two consecutive times of a series suggest: months and years where the day of
/// the month (or the end of the month) and the time of day agree, else seconds. Requires
/// earlier < later.
Frequency FrequencyOf(int64_t earlier, int64_t later);

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_SERIES_FREQUENCY_H_
