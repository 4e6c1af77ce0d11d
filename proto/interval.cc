#include "proto/interval.h"

#include <cstdlib>
#include <stdexcept>

#include <fmt/format.h>

namespace lockstep::proto {

Interval::Interval(const std::string& text) {
  const auto fail = [&text] {
    throw std::invalid_argument(fmt::format("\"{}\" is not an interval such as (0, 1]", text));
  };
  if (text.size() < 5 || (text.front() != '(' && text.front() != '[') ||
      (text.back() != ')' && text.back() != ']')) {
    fail();
  }
  includes_low_ = text.front() == '[';
  includes_high_ = text.back() == ']';
  char* end = nullptr;
  const char* const low_text = text.c_str() + 1;
  low_ = std::strtod(low_text, &end);
  if (end == low_text || *end != ',') fail();
  const char* const high_text = end + 1;
  high_ = std::strtod(high_text, &end);
  if (end == high_text || end != &text.back()) fail();
  if (!(low_ < high_ || (low_ == high_ && includes_low_ && includes_high_))) fail();
}

bool Interval::Contains(double value) const {
  const bool above = includes_low_ ? value >= low_ : value > low_;
  const bool below = includes_high_ ? value <= high_ : value < high_;
  return above && below;
}

}  // namespace lockstep::proto
