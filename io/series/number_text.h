#ifndef LOCKSTEP_IO_SERIES_NUMBER_TEXT_H_
#define LOCKSTEP_IO_SERIES_NUMBER_TEXT_H_

#include <string_view>

namespace lockstep::io {

enum class CellKind {
  kNumber,
  kMissing,  ///< empty, NaN, NA, N/A, null, None, in any case
  kOther,    ///< text, or a number that float32 does not hold
};

/// Reads a cell as a number, as strtod does in the C locale but for infinities and hexadecimals,
/// with `decimal_point` ('.' or ','). Correctly rounded to a double, then to a float.
CellKind ParseNumber(std::string_view cell, char decimal_point, float* value);

/// Without spaces and tabs at both ends.
inline std::string_view Trimmed(std::string_view cell) {
  while (!cell.empty() && (cell.front() == ' ' || cell.front() == '\t')) cell.remove_prefix(1);
  while (!cell.empty() && (cell.back() == ' ' || cell.back() == '\t')) cell.remove_suffix(1);
  return cell;
}

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_SERIES_NUMBER_TEXT_H_
