#include "io/datasets/dataset_place.h"

#include <system_error>

#include <fmt/format.h>

#include "io/errors.h"
#include "io/files/publish.h"
#include "io/files/seal.h"

namespace lockstep::io {

void RequirePlaceForDataset(const std::filesystem::path& output) {
  const NewFile place(output);
  std::error_code missing;
  if (std::filesystem::file_size(output, missing) > 0 && !missing && !LooksLikeOurs(output)) {
    throw InputError(fmt::format(
        "{} stands there already and is no dataset: an import would take its place. Move it away, "
        "or name another file with --output.",
        output.string()));
  }
}

}  // namespace lockstep::io
