#ifndef LOCKSTEP_TRAINER_TASKS_TEXT_METRICS_CHARACTERS_H_
#define LOCKSTEP_TRAINER_TASKS_TEXT_METRICS_CHARACTERS_H_

#include <string>
#include <string_view>
#include <vector>

namespace lockstep::trainer {

/// The code points of UTF-8 text. A byte that is not part of UTF-8 counts as one, beyond Unicode:
/// models of bytes may write such.
std::u32string CodePoints(std::string_view utf8);

/// White space as Python's str.split and str.isspace have it.
bool IsWhiteSpace(char32_t c);

/// The pieces between white space: Python's str.split. They point into `utf8`.
std::vector<std::string_view> SplitAtWhiteSpace(std::string_view utf8);

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_TEXT_METRICS_CHARACTERS_H_
