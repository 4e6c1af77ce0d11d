#include "io/hdf5/string_list.h"

#include <algorithm>
#include <limits>
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

namespace {

constexpr uint64_t kPieceOffsets = uint64_t{1} << 18;

[[noreturn]] void FailForOffsets(const H5Reader& reader, const std::string& group) {
  reader.FailBecause(group + "/offsets does not fit " + group + "/bytes");
}

}  // namespace

std::vector<std::string> ReadStringList(const H5Reader& reader, const std::string& group) {
  return ReadStringListHead(reader, group, std::numeric_limits<uint64_t>::max()).strings;
}

StringListHead ReadStringListHead(const H5Reader& reader, const std::string& group, uint64_t most) {
  const H5Array bytes = reader.OpenArray<uint8_t>(group + "/bytes");
  const H5Array offsets = reader.OpenArray<uint64_t>(group + "/offsets");
  if (offsets.size() == 0) FailForOffsets(reader, group);
  bytes.Verify();
  offsets.Verify();
  StringListHead head;
  head.count = offsets.size() - 1;
  const uint64_t taken = std::min(head.count, most);
  std::vector<uint64_t> ends;  // of the strings to return, behind a first 0
  uint64_t last = 0;
  std::vector<uint64_t> piece;
  for (uint64_t first = 0; first < offsets.size(); first += kPieceOffsets) {
    piece.resize(std::min(kPieceOffsets, offsets.size() - first));
    offsets.ReadRows(first, piece.size(), piece.data());
    if (piece[0] < last || (first == 0 && piece[0] != 0) ||
        !std::is_sorted(piece.begin(), piece.end())) {
      FailForOffsets(reader, group);
    }
    last = piece.back();
    for (uint64_t i = 0; i < piece.size() && ends.size() <= taken; ++i) ends.push_back(piece[i]);
  }
  if (last != bytes.size()) FailForOffsets(reader, group);
  std::string text(ends.back(), '\0');
  bytes.ReadRows(0, text.size(), text.data());
  for (uint64_t i = 0; i < taken; ++i) {
    head.strings.push_back(text.substr(ends[i], ends[i + 1] - ends[i]));
  }
  return head;
}

}  // namespace lockstep::io
