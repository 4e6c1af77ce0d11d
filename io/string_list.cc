#include "io/string_list.h"

#include <algorithm>
#include <span>

namespace lockstep::io {

void WriteStringList(H5Writer& writer, const std::string& group,
                     const std::vector<std::string>& strings) {
  std::string bytes;
  std::vector<uint64_t> offsets = {0};
  offsets.reserve(strings.size() + 1);
  for (const std::string& string : strings) {
    bytes += string;
    offsets.push_back(bytes.size());
  }
  writer.WriteText(group + "/bytes", bytes);
  writer.WriteArray(group + "/offsets", std::span<const uint64_t>(offsets));
}

std::vector<std::string> ReadStringList(const H5Reader& reader, const std::string& group) {
  const std::string bytes = reader.ReadText(group + "/bytes");
  const std::vector<uint64_t> offsets = reader.ReadArray<uint64_t>(group + "/offsets");
  if (offsets.empty() || offsets.front() != 0 || offsets.back() != bytes.size() ||
      !std::is_sorted(offsets.begin(), offsets.end())) {
    reader.FailBecause(group + "/offsets does not fit " + group + "/bytes");
  }
  std::vector<std::string> strings;
  strings.reserve(offsets.size() - 1);
  for (size_t i = 0; i + 1 < offsets.size(); ++i) {
    strings.push_back(bytes.substr(offsets[i], offsets[i + 1] - offsets[i]));
  }
  return strings;
}

}  // namespace lockstep::io
