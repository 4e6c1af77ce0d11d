#include "io/datasets/stored_sources.h"

#include <algorithm>
#include <span>
#include <utility>

#include "io/hdf5/string_list.h"

namespace lockstep::io {
namespace {

constexpr char kPathsGroup[] = "/sources/paths";
constexpr char kBytesArray[] = "/sources/bytes";

std::string SizesArray(const std::string& unit) { return "/sources/" + unit; }

// The first `most` of the numbers, after all are checked; there must be `count` of them.
std::vector<uint64_t> ReadNumbers(const H5Reader& reader, const std::string& name, uint64_t count,
                                  uint64_t most) {
  const H5Array array = reader.OpenArray<uint64_t>(name);
  if (array.size() != count) reader.FailBecause("the arrays in /sources differ in length");
  array.Verify();
  std::vector<uint64_t> numbers(std::min(count, most));
  array.ReadRows(0, numbers.size(), numbers.data());
  return numbers;
}

}  // namespace

void WriteSources(H5Writer& writer, const std::vector<Source>& sources, const std::string& unit) {
  std::vector<std::string> paths;
  std::vector<uint64_t> bytes, sizes;
  for (const Source& source : sources) {
    paths.push_back(source.path);
    bytes.push_back(source.bytes);
    sizes.push_back(source.size);
  }
  WriteStringList(writer, kPathsGroup, paths);
  writer.WriteArray(kBytesArray, std::span<const uint64_t>(bytes));
  writer.WriteArray(SizesArray(unit), std::span<const uint64_t>(sizes));
}

SourceList ReadSources(const H5Reader& reader, const std::string& unit, uint64_t most) {
  StringListHead paths = ReadStringListHead(reader, kPathsGroup, most);
  const auto bytes = ReadNumbers(reader, kBytesArray, paths.count, most);
  const auto sizes = ReadNumbers(reader, SizesArray(unit), paths.count, most);
  SourceList list;
  list.count = paths.count;
  for (size_t i = 0; i < paths.strings.size(); ++i) {
    list.first.push_back({std::move(paths.strings[i]), bytes[i], sizes[i]});
  }
  return list;
}

}  // namespace lockstep::io
