#include "io/series/time_text.h"

#include <charconv>
#include <chrono>

#include <fmt/format.h>

namespace lockstep::io {
namespace {

constexpr int64_t kDaySeconds = 86400;
constexpr size_t kMostShortDigits = 11;
constexpr int64_t kMostSeconds = int64_t{1} << 40;  // beyond the calendar's years

/// Takes a time apart from its front.
class Scanner {
 public:
  explicit Scanner(std::string_view text) : text_(text) {}

  bool done() const { return text_.empty(); }

  /// Exactly `digits` digits.
  bool Number(size_t digits, int* out) {
    if (text_.size() < digits) return false;
    int number = 0;
    for (size_t i = 0; i < digits; ++i) {
      const unsigned digit = static_cast<unsigned char>(text_[i]) - unsigned{'0'};
      if (digit > 9) return false;
      number = 10 * number + static_cast<int>(digit);
    }
    *out = number;
    text_.remove_prefix(digits);
    return true;
  }

  /// The character, when it is one of these; else 0.
  char OneOf(std::string_view characters) {
    if (text_.empty() || characters.find(text_.front()) == characters.npos) return 0;
    const char found = text_.front();
    text_.remove_prefix(1);
    return found;
  }

 private:
  std::string_view text_;
};

std::optional<int64_t> WholeSeconds(std::string_view text) {
  int64_t seconds = 0;
  const char* end = text.data() + text.size();
  const auto [rest, error] = std::from_chars(text.data(), end, seconds);
  if (error != std::errc() || seconds > kMostSeconds || seconds < -kMostSeconds) {
    return std::nullopt;
  }
  std::string_view fraction(rest, static_cast<size_t>(end - rest));
  if (fraction.starts_with('.')) fraction.remove_prefix(1);
  if (fraction.find_first_not_of('0') != fraction.npos) return std::nullopt;
  return seconds;
}

// The quick way for up to 11 digits; -1: it is something else.
int64_t ShortSeconds(std::string_view text) {
  if (text.empty() || text.size() > kMostShortDigits) return -1;
  int64_t seconds = 0;
  for (const char c : text) {
    const unsigned digit = static_cast<unsigned char>(c) - unsigned{'0'};
    if (digit > 9) return -1;
    seconds = 10 * seconds + digit;
  }
  return seconds;
}

// "HH:MM", "HH:MM:SS", "HH:MM:SS.000".
bool TimeOfDay(Scanner* scanner, int64_t* seconds) {
  int hour = 0, minute = 0, second = 0;
  if (!scanner->Number(2, &hour) || !scanner->OneOf(":") || !scanner->Number(2, &minute)) {
    return false;
  }
  if (scanner->OneOf(":")) {
    if (!scanner->Number(2, &second)) return false;
    if (scanner->OneOf(".,")) {
      if (!scanner->OneOf("0")) return false;
      while (scanner->OneOf("0")) continue;
    }
  }
  *seconds = (hour * 60 + minute) * 60 + second;
  return hour < 24 && minute < 60 && second < 60;
}

// "Z", "+02", "+02:00", "+0200", or nothing.
bool Offset(Scanner* scanner, int64_t* seconds) {
  *seconds = 0;
  if (scanner->done() || scanner->OneOf("Zz")) return true;
  const char sign = scanner->OneOf("+-");
  int hour = 0, minute = 0;
  if (sign == 0 || !scanner->Number(2, &hour)) return false;
  scanner->OneOf(":");
  if (!scanner->done() && !scanner->Number(2, &minute)) return false;
  *seconds = (sign == '-' ? -1 : 1) * (hour * 60 + minute) * 60;
  return hour < 24 && minute < 60;
}

}  // namespace

std::optional<int64_t> ParseTime(std::string_view text) {
  if (const int64_t seconds = ShortSeconds(text); seconds >= 0) return seconds;
  Scanner scanner(text);
  int year = 0, month = 0, day = 1;
  if (!scanner.Number(4, &year)) return WholeSeconds(text);
  const char separator = scanner.OneOf("-/");
  if (separator == 0 || !scanner.Number(2, &month)) return WholeSeconds(text);
  if (!scanner.done() && (!scanner.OneOf({&separator, 1}) || !scanner.Number(2, &day))) {
    return std::nullopt;
  }
  const std::chrono::year_month_day date{std::chrono::year(year),
                                         std::chrono::month(static_cast<unsigned>(month)),
                                         std::chrono::day(static_cast<unsigned>(day))};
  if (!date.ok()) return std::nullopt;
  int64_t time_of_day = 0;
  int64_t offset = 0;
  if (!scanner.done()) {
    if (!scanner.OneOf(" Tt") || !TimeOfDay(&scanner, &time_of_day)) return std::nullopt;
    scanner.OneOf(" ");
    if (!Offset(&scanner, &offset) || !scanner.done()) return std::nullopt;
  }
  const int64_t days = std::chrono::sys_days(date).time_since_epoch().count();
  return days * kDaySeconds + time_of_day - offset;
}

std::string TimeText(int64_t time) {
  const std::chrono::sys_seconds point{std::chrono::seconds(time)};
  const auto day = std::chrono::floor<std::chrono::days>(point);
  const std::chrono::year_month_day date{day};
  const int64_t second = (point - day).count();
  return fmt::format("{:04}-{:02}-{:02} {:02}:{:02}:{:02}", int{date.year()},
                     unsigned{date.month()}, unsigned{date.day()}, second / 3600, second / 60 % 60,
                     second % 60);
}

}  // namespace lockstep::io
