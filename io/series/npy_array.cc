#include "io/series/npy_array.h"

#include <algorithm>
#include <array>
#include <cstring>
#include <iterator>
#include <regex>
#include <string_view>

#include <fmt/format.h>

#include "io/errors.h"

namespace lockstep::io {
namespace {

constexpr std::string_view kMagic = "\x93NUMPY";
constexpr size_t kMostHeaderBytes = size_t{1} << 16;
constexpr std::string_view kTypes[] = {"f4", "f8", "i1", "i2", "i4", "i8",
                                       "u1", "u2", "u4", "u8", "b1"};

template <typename Element>
void Widen(const std::vector<char>& from, uint64_t count, uint64_t stride, double* out) {
  for (uint64_t i = 0; i < count; ++i) {
    Element element;
    std::memcpy(&element, from.data() + i * sizeof(element), sizeof(element));
    out[i * stride] = static_cast<double>(element);
  }
}

}  // namespace

bool IsNpy(const std::filesystem::path& path) {
  const FileDescriptor file = FileDescriptor::OpenForReading(path);
  std::array<char, kMagic.size()> begin{};
  file.ReadAt(0, begin.data(), begin.size());
  return std::string_view(begin.data(), begin.size()) == kMagic;
}

NpyArray::NpyArray(const std::filesystem::path& path)
    : path_(path), file_(FileDescriptor::OpenForReading(path)) {
  std::array<unsigned char, 12> begin{};
  file_.ReadAt(0, begin.data(), begin.size());
  // Magic, two bytes of version, and the header's length in two bytes, from version 2 in four.
  uint64_t length = begin[8] + 256u * begin[9];
  begin_bytes_ = 10;
  if (begin[6] > 1) {
    length += (uint64_t{begin[10]} << 16) + (uint64_t{begin[11]} << 24);
    begin_bytes_ = 12;
  }
  std::string header(std::min<uint64_t>(length, kMostHeaderBytes), '\0');
  header.resize(file_.ReadAt(begin_bytes_, header.data(), header.size()));
  begin_bytes_ += length;
  ParseHeader(header);
  uint64_t bytes = 0;
  if (__builtin_mul_overflow(rows_, columns_, &bytes) ||
      __builtin_mul_overflow(bytes, element_bytes_, &bytes) ||
      bytes > file_.SizeBytes() - std::min(begin_bytes_, file_.SizeBytes())) {
    throw InputError(
        fmt::format("{} is cut short: found fewer bytes than {} numbers of {}. Take "
                    "another copy.",
                    path.string(), fmt::format("{} x {}", rows_, columns_), type_));
  }
}

void NpyArray::ParseHeader(const std::string& header) {
  const auto field = [&](const char* pattern) {
    std::smatch match;
    return std::regex_search(header, match, std::regex(pattern)) ? match[1].str() : std::string();
  };
  const std::string type = field("'descr': *'([^']*)'");
  fortran_order_ = field("'fortran_order': *(True|False)") == "True";
  const std::string shape = field("'shape': *\\(([^)]*)\\)");
  if (type.size() == 3 && (type[0] == '<' || type[0] == '|')) type_ = type.substr(1);
  std::vector<uint64_t> lengths;
  const std::regex number("[0-9]{1,18}");
  for (std::sregex_iterator i(shape.begin(), shape.end(), number), end; i != end; ++i) {
    lengths.push_back(std::stoull(i->str()));
  }
  if (std::ranges::count(kTypes, type_) == 0 || lengths.empty() || lengths.size() > 2) {
    throw InputError(
        fmt::format("{}: found an array of type '{}' and shape ({}), expected little-endian "
                    "float32, float64 or "
                    "integers in one or two dimensions [time, channel].",
                    path_.string(), type, shape));
  }
  element_bytes_ = static_cast<uint64_t>(type_[1] - '0');
  rows_ = lengths[0];
  if (lengths.size() == 2) columns_ = lengths[1];
}

void NpyArray::Read(uint64_t first, uint64_t count, double* out) const {
  if (!fortran_order_) return ReadNumbers(first * columns_, count * columns_, 1, out);
  for (uint64_t column = 0; column < columns_; ++column) {
    ReadNumbers(column * rows_ + first, count, columns_, out + column);
  }
}

void NpyArray::ReadNumbers(uint64_t first, uint64_t count, uint64_t stride, double* out) const {
  buffer_.resize(count * element_bytes_);
  if (file_.ReadAt(begin_bytes_ + first * element_bytes_, buffer_.data(), buffer_.size()) !=
      buffer_.size()) {
    throw InputError(fmt::format(
        "{} changed while it was read. Import again when nothing writes to it.", path_.string()));
  }
  const auto widen = [&](auto element) { Widen<decltype(element)>(buffer_, count, stride, out); };
  if (type_ == "f4") widen(float{});
  if (type_ == "f8") widen(double{});
  if (type_ == "i1") widen(int8_t{});
  if (type_ == "i2") widen(int16_t{});
  if (type_ == "i4") widen(int32_t{});
  if (type_ == "i8") widen(int64_t{});
  if (type_ == "u1" || type_ == "b1") widen(uint8_t{});
  if (type_ == "u2") widen(uint16_t{});
  if (type_ == "u4") widen(uint32_t{});
  if (type_ == "u8") widen(uint64_t{});
}

}  // namespace lockstep::io
