#include "proto/run_config.h"

#include <cerrno>
#include <cstddef>
#include <fstream>
#include <system_error>

#include <fmt/format.h>

#include "proto/defaults.h"
#include "proto/overrides.h"
#include "proto/text_parser.h"

namespace lockstep::proto {
namespace {

// Far more than any configuration; a dataset given by mistake is refused before it fills the
// memory.
constexpr std::size_t kLongestTextBytes = 1 << 20;

std::string ReadText(const std::filesystem::path& path) {
  const auto fail = [&path](const std::string& reason) {
    throw ConfigError(
        fmt::format("cannot read the run configuration {}: {}", path.string(), reason));
  };
  errno = 0;
  std::ifstream file(path, std::ios::binary);
  if (!file.is_open()) fail(std::generic_category().message(errno));
  std::string text(kLongestTextBytes + 1, '\0');
  file.read(text.data(), static_cast<std::streamsize>(text.size()));
  if (file.bad()) fail(std::generic_category().message(errno));
  text.resize(static_cast<std::size_t>(file.gcount()));
  if (text.size() > kLongestTextBytes) fail("it is longer than 1 MB; is it another kind of file?");
  return text;
}

}  // namespace

RunConfig LoadRunConfig(const std::filesystem::path& path, std::span<const std::string> overrides) {
  return ParseRunConfig(ReadText(path), path.string(), overrides);
}

RunConfig ParseRunConfig(const std::string& text, const std::string& origin,
                         std::span<const std::string> overrides) {
  RunConfig config;
  try {
    config = ParseText(text);
  } catch (const TextError& error) {
    throw ConfigError(
        fmt::format("{}:{}:{}: {}", origin, error.line(), error.column(), error.what()));
  }
  for (const std::string& override_text : overrides) ApplyOverride(override_text, config);
  FillDefaults(config);
  try {
    ValidateRunConfig(config);
  } catch (const ConfigError& error) {
    throw ConfigError(
        fmt::format("{}{}: {}", origin, overrides.empty() ? "" : " with --set", error.what()));
  }
  return config;
}

}  // namespace lockstep::proto
