#include "io/files/file_format.h"

#include <fmt/format.h>

#include "io/errors.h"

namespace lockstep::io {

void RequireFormat(const std::filesystem::path& path, const Seal& seal, const FileFormat& format) {
  if (seal.format != format.name) {
    throw InputError(fmt::format("{} is a file of format {}, not a {} ({}). Name a {}.",
                                 path.string(), seal.format, format.description, format.name,
                                 format.description));
  }
  if (seal.version != format.version) {
    throw InputError(
        fmt::format("{} has version {} of the format {}; this program reads version {}. Use the "
                    "Lockstep that wrote it, or make the file anew.",
                    path.string(), seal.version, seal.format, format.version));
  }
}

}  // namespace lockstep::io
