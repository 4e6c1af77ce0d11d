#ifndef LOCKSTEP_TRAINER_TERMINAL_OUTPUT_FILE_H_
#define LOCKSTEP_TRAINER_TERMINAL_OUTPUT_FILE_H_

#include <filesystem>
#include <fstream>
#include <optional>
#include <string_view>

#include "io/files/publish.h"

namespace lockstep::trainer {

/// Where a result goes that a user has named: a file, which appears whole or not at all in place of
/// an older one; "-", the standard output; or a device or pipe such as /dev/stdout. A symbolic link
/// stays, what it points to is replaced.
class OutputFile {
 public:
  /// io's errors: no folder, no right to write there.
  explicit OutputFile(const std::filesystem::path& path);

  /// io's errors, std::runtime_error where standard output cannot be written.
  void Write(std::string_view bytes);

  /// Makes the file appear. Without it nothing does. io's errors.
  void Finish();

 private:
  void RequireGood();

  const std::filesystem::path path_;
  std::optional<io::NewFile> file_;      // one of the two;
  std::optional<std::ofstream> device_;  // none: standard output
};

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TERMINAL_OUTPUT_FILE_H_
