#include "trainer/terminal/console.h"

#include <cstdlib>
#include <string_view>
#include <utility>

#include <fmt/format.h>
#include <spdlog/sinks/basic_file_sink.h>
#include <spdlog/spdlog.h>
#include <unistd.h>

#include "trainer/terminal/output.h"

namespace lockstep::trainer {
namespace {

bool IsLive(Console::Mode mode) {
  return mode == Console::Mode::kLive ||
         (mode == Console::Mode::kAuto && StandardErrorIsTerminal());
}

}  // namespace

bool StandardErrorIsTerminal() {
  if (isatty(STDERR_FILENO)) return true;
  if (!std::getenv("OMPI_COMM_WORLD_RANK")) return false;
  std::error_code error;
  const auto target =
      std::filesystem::read_symlink(fmt::format("/proc/{}/fd/{}", getppid(), STDERR_FILENO), error);
  return !error &&
         (target.string().starts_with("/dev/pts/") || target.string().starts_with("/dev/tty"));
}

Console::Console(bool silent, Mode mode) : silent_(silent), live_(!silent && IsLive(mode)) {}

Console::~Console() { EndLive(); }

void Console::OpenLog(const std::filesystem::path& path) {
  if (silent_) return;
  log_ = std::make_shared<spdlog::logger>(
      "lockstep", std::make_shared<spdlog::sinks::basic_file_sink_mt>(path.string()));
  log_->set_pattern("%Y-%m-%d %H:%M:%S.%e  %v");
  log_->flush_on(spdlog::level::info);
  log_->set_error_handler([path = path.string(), told = false](const std::string& what) mutable {
    if (!std::exchange(told, true)) {
      Tell(fmt::format("warning: {} cannot be written and will have gaps: {}\n", path, what));
    }
  });
}

void Console::EndLive() {
  if (live_width_ == 0) return;
  Tell("\n");
  live_width_ = 0;
}

void Console::Info(const std::string& line) {
  if (silent_) return;
  // The line takes the place of the live one, which comes again below it.
  const std::string padding(live_width_ > line.size() ? live_width_ - line.size() : 0, ' ');
  Tell(fmt::format("{}{}{}\n", live_width_ > 0 ? "\r" : "", line, padding));
  live_width_ = 0;
  LogOnly(line);
}

void Console::Warn(const std::string& line) { Info("warning: " + line); }

void Console::Live(const std::string& line) {
  if (!live_) return;
  const std::string padding(live_width_ > line.size() ? live_width_ - line.size() : 0, ' ');
  Tell(fmt::format("\r{}{}", line, padding));
  live_width_ = line.size();
}

void Console::LogOnly(const std::string& line) {
  if (log_) log_->info("{}", line);
}

}  // namespace lockstep::trainer
