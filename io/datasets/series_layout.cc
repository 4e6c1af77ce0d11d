#include "io/datasets/series_layout.h"

#include <fmt/format.h>

#include "io/datasets/series_dataset.h"
#include "io/files/digest.h"

namespace lockstep::io {

std::string SeriesFingerprint(const H5Reader& reader) {
  std::string text = fmt::format("frequency {}\n", reader.ReadString("/", "frequency"));
  // Models of masked data see which values are missing.
  const std::string missing = reader.ReadString("/", "missing");
  if (missing == MissingModeName(MissingMode::kMask)) text += "missing mask\n";
  for (const std::string& name : reader.array_names()) {
    if (name == kValueDigestsArray || name.starts_with("/sources/")) continue;
    const H5Array array = reader.OpenArray(name);
    text +=
        fmt::format("{} {}\n", name, DescribeArray(array.type(), array.shape(), array.digest()));
  }
  return DigestHex(text.data(), text.size());
}

}  // namespace lockstep::io
