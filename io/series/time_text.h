#ifndef LOCKSTEP_IO_SERIES_TIME_TEXT_H_
#define LOCKSTEP_IO_SERIES_TIME_TEXT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace lockstep::io {

/// Seconds since 1970 UTC of a time in ISO 8601 - "2016-07-01", "2016-07", "2016-07-01 00:00",
/// "2016-07-01T00:00:00Z", "2016-07-01T00:00:00.000+02:00", with / for -, too; without an offset it
/// is taken for UTC - or of a whole number of seconds ("1467331200", "-5", "1467331200.0"). nullopt
/// for all else, and for parts of a second.
std::optional<int64_t> ParseTime(std::string_view text);

/// "2016-07-01 00:00:00", in UTC.
std::string TimeText(int64_t time);

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_SERIES_TIME_TEXT_H_
