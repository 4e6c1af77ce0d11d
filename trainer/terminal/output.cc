#include "trainer/terminal/output.h"

#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstring>
#include <stdexcept>

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

namespace lockstep::trainer {

void PrepareStandardStreams() {
  std::signal(SIGPIPE, SIG_IGN);
  // Open for reading only, so that what is written there still fails.
  int descriptor = 0;
  do {
    descriptor = open("/dev/null", O_RDONLY);
  } while (descriptor >= 0 && descriptor <= STDERR_FILENO);
  if (descriptor >= 0) close(descriptor);
}

// Not fmt::print, which throws.
void Tell(std::string_view text) { std::fwrite(text.data(), 1, text.size(), stderr); }

void WriteResult(std::string_view text) {
  if (std::fwrite(text.data(), 1, text.size(), stdout) == text.size() && std::fflush(stdout) == 0) {
    return;
  }
  throw std::runtime_error(
      fmt::format("standard output cannot be written: {}", std::strerror(errno)));
}

void WriteJson(const nlohmann::ordered_json& json) {
  WriteResult(json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

}  // namespace lockstep::trainer
