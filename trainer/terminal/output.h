#ifndef LOCKSTEP_TRAINER_TERMINAL_OUTPUT_H_
#define LOCKSTEP_TRAINER_TERMINAL_OUTPUT_H_

#include <string_view>

#include <nlohmann/json_fwd.hpp>

namespace lockstep::trainer {

// What a person reads goes to standard error, what a program reads to standard output.

/// Makes a write to a closed pipe fail instead of ending the process, and keeps the numbers of
/// standard streams that were closed at the start from being given to files that are opened later.
void PrepareStandardStreams();

/// To a person. What cannot be written is lost: it never throws and never ends the process.
void Tell(std::string_view text);

/// To a program, at once. std::runtime_error when standard output cannot be written.
void WriteResult(std::string_view text);

/// The same, as one line of JSON; bytes that are not UTF-8 (of a path) become U+FFFD.
void WriteJson(const nlohmann::ordered_json& json);

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TERMINAL_OUTPUT_H_
