#include "io/datasets/stored_splits.h"

#include <algorithm>
#include <string>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "io/errors.h"

namespace lockstep::io {
namespace {

constexpr std::string_view kSplitOrder[] = {"train", "validation", "test"};
constexpr char kSplitsGroup[] = "/splits";

}  // namespace

std::vector<Split> SplitsUntil(std::span<const uint64_t> ends) {
  std::vector<Split> splits;
  uint64_t begin = 0;
  for (const uint64_t end : ends) {
    splits.push_back({std::string(kSplitOrder[splits.size()]), begin, end});
    begin = end;
  }
  return splits;
}

void WriteSplits(H5Writer& writer, const std::vector<Split>& splits) {
  for (const Split& split : splits) {
    const uint64_t range[] = {split.begin, split.end};
    writer.WriteArray(fmt::format("{}/{}", kSplitsGroup, split.name),
                      std::span<const uint64_t>(range));
  }
}

std::vector<Split> ReadSplits(const H5Reader& reader, uint64_t size, std::string_view unit) {
  const std::string prefix = std::string(kSplitsGroup) + "/";
  std::vector<Split> splits;
  for (const std::string& name : reader.array_names()) {
    if (!name.starts_with(prefix)) continue;
    const std::vector<uint64_t> range = reader.ReadArray<uint64_t>(name);
    if (range.size() != 2 || range[0] > range[1] || range[1] > size) {
      reader.FailBecause(fmt::format("{} is not a range of the {}", name, unit));
    }
    splits.push_back({name.substr(prefix.size()), range[0], range[1]});
  }
  // HDF5 keeps names sorted; people expect the order of their use.
  std::stable_sort(splits.begin(), splits.end(), [](const Split& a, const Split& b) {
    return std::find(std::begin(kSplitOrder), std::end(kSplitOrder), a.name) <
           std::find(std::begin(kSplitOrder), std::end(kSplitOrder), b.name);
  });
  return splits;
}

const Split& FindSplit(const std::vector<Split>& splits, std::string_view name,
                       const std::filesystem::path& path) {
  std::vector<std::string> names;
  for (const Split& split : splits) {
    if (split.name == name) return split;
    names.push_back(split.name);
  }
  throw InputError(
      fmt::format("{} has no split {}. It has: {}.", path.string(), name, fmt::join(names, ", ")));
}

}  // namespace lockstep::io
