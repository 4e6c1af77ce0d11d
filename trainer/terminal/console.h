#ifndef LOCKSTEP_TRAINER_TERMINAL_CONSOLE_H_
#define LOCKSTEP_TRAINER_TERMINAL_CONSOLE_H_

#include <filesystem>
#include <memory>
#include <string>

namespace spdlog {
class logger;
}

namespace lockstep::trainer {

/// What a person is told: on standard error and, once a log is open, in that file with the time. On
/// a terminal one live line at the bottom is written over and over. Only rank 0 has one that
/// speaks. What cannot be written (a full disk, a closed pipe) is lost, and nothing else.
class Console {
 public:
  enum class Mode { kAuto, kLive, kPlain };

  /// With `silent` nothing is ever written.
  Console(bool silent, Mode mode);
  ~Console();
  Console(const Console&) = delete;
  Console& operator=(const Console&) = delete;

  /// Appends to this file from now on. Throws when it cannot be opened.
  void OpenLog(const std::filesystem::path& path);

  void Info(const std::string& line);
  void Warn(const std::string& line);

  /// Replaces the live line; ignored where there is no terminal.
  void Live(const std::string& line);
  /// Ends the live line, so that other output starts on a line of its own.
  void EndLive();

  /// Writes to the log file only.
  void LogOnly(const std::string& line);

  bool live() const { return live_; }

 private:
  const bool silent_;
  const bool live_;
  size_t live_width_ = 0;
  std::shared_ptr<spdlog::logger> log_;
};

/// True when standard error is a terminal, or when this process was started by an mpirun of this
/// host whose standard error is one (Open MPI gives the ranks a pipe and copies what they write).
bool StandardErrorIsTerminal();

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TERMINAL_CONSOLE_H_
