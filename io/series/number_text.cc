#include "io/series/number_text.h"

#include <algorithm>
#include <cctype>
#include <charconv>
#include <cmath>
#include <cstdint>
#include <cstdlib>
#include <string>

namespace lockstep::io {
namespace {

// All powers of ten that a double holds exactly.
constexpr double kPowers[] = {1e0,  1e1,  1e2,  1e3,  1e4,  1e5,  1e6,  1e7,
                              1e8,  1e9,  1e10, 1e11, 1e12, 1e13, 1e14, 1e15,
                              1e16, 1e17, 1e18, 1e19, 1e20, 1e21, 1e22};
constexpr uint64_t kMostExact = uint64_t{1} << 53;
constexpr int kMostDigits = 18;  // of a uint64

bool IsMissing(std::string_view cell) {
  constexpr std::string_view kNames[] = {"nan", "na", "n/a", "null", "none", "<na>", "#n/a"};
  if (cell.empty()) return true;
  return std::ranges::any_of(kNames, [&](std::string_view name) {
    return std::ranges::equal(cell, name,
                              [](unsigned char a, char b) { return std::tolower(a) == b; });
  });
}

CellKind AsFloat(double number, float* value) {
  *value = static_cast<float>(number);
  return std::isfinite(*value) ? CellKind::kNumber : CellKind::kOther;
}

CellKind ParseSlowly(std::string_view cell, char decimal_point, float* value) {
  if (IsMissing(cell)) return CellKind::kMissing;
  std::string text;
  if (decimal_point != '.') {
    if (cell.find('.') != cell.npos) return CellKind::kOther;
    text = cell;
    std::replace(text.begin(), text.end(), decimal_point, '.');
    cell = text;
  }
  const bool plus = cell.starts_with('+');
  if (plus) cell.remove_prefix(1);
  // Neither "+-1" nor "inf" nor "nan(1)".
  const size_t first = !plus && cell.starts_with('-') ? 1 : 0;
  if (first == cell.size() ||
      (cell[first] != '.' && !std::isdigit(static_cast<unsigned char>(cell[first])))) {
    return CellKind::kOther;
  }
  double number = 0;
  const char* end = cell.data() + cell.size();
  const auto [rest, error] = std::from_chars(cell.data(), end, number);
  if (rest != end) return CellKind::kOther;
  // Too small is zero as far as a float goes; from_chars does not say which of the two it is.
  if (error == std::errc::result_out_of_range)
    number = std::strtod(std::string(cell).c_str(), nullptr);
  return AsFloat(number, value);
}

}  // namespace

CellKind ParseNumber(std::string_view cell, char decimal_point, float* value) {
  // Most numbers have so few digits that their product or quotient with an exact power of ten is
  // rounded once, so correctly (Clinger 1990).
  const char* next = cell.data();
  const char* end = next + cell.size();
  const bool negative = next != end && *next == '-';
  if (negative) ++next;
  const char* digits = next;
  uint64_t mantissa = 0;
  const auto take_digits = [&] {
    for (; next != end; ++next) {
      const unsigned digit = static_cast<unsigned char>(*next) - unsigned{'0'};
      if (digit > 9) return;
      mantissa = 10 * mantissa + digit;
    }
  };
  take_digits();
  int64_t behind_point = 0;
  int64_t count = next - digits;
  if (next != end && *next == decimal_point) {
    const char* fraction = ++next;
    take_digits();
    behind_point = next - fraction;
    count += behind_point;
  }
  if (next != end || count == 0 || count > kMostDigits || mantissa > kMostExact) {
    return ParseSlowly(cell, decimal_point, value);
  }
  const double number = static_cast<double>(mantissa) / kPowers[behind_point];
  return AsFloat(negative ? -number : number, value);
}

}  // namespace lockstep::io
