#include "io/files/seal.h"

#include <algorithm>
#include <array>
#include <bit>
#include <charconv>
#include <cstring>
#include <string_view>
#include <vector>

#include <fmt/format.h>

#include "io/errors.h"
#include "io/files/digest.h"
#include "io/files/file_descriptor.h"

namespace lockstep::io {
namespace {

static_assert(std::endian::native == std::endian::little, "the seal is little-endian");

constexpr std::string_view kMagic = "LOCKSTEP";
constexpr std::string_view kHdf5Signature = "\x89HDF\r\n\x1a\n";
constexpr size_t kFormatBytes = 32;
constexpr size_t kDigestBytes = 16;
constexpr size_t kReadBytes = size_t{1} << 20;

// The fields' places in the block; io/FORMATS.md has the same table.
constexpr size_t kFormatAt = 8;
constexpr size_t kVersionAt = 40;
constexpr size_t kLengthAt = 48;
constexpr size_t kStepAt = 56;
constexpr size_t kDigestAt = 64;
constexpr size_t kChecksumAt = 504;

using Block = std::array<unsigned char, kSealBytes>;

template <typename Value>
Value Load(const Block& block, size_t at) {
  Value value;
  std::memcpy(&value, block.data() + at, sizeof(value));
  return value;
}

template <typename Value>
void Store(Block& block, size_t at, Value value) {
  std::memcpy(block.data() + at, &value, sizeof(value));
}

std::string DigestOfRest(const FileDescriptor& file) {
  Digest digest;
  std::vector<char> buffer(kReadBytes);
  for (uint64_t offset = kSealBytes;;) {
    const size_t got = file.ReadAt(offset, buffer.data(), buffer.size());
    digest.Update(buffer.data(), got);
    offset += got;
    if (got < buffer.size()) return digest.Hex();
  }
}

[[noreturn]] void ThrowDamaged(const std::filesystem::path& path, std::string_view why) {
  throw DamagedFileError(fmt::format(
      "{} is damaged: {}. Take an older file or a copy, or make it anew.", path.string(), why));
}

bool HasHdf5BehindTheSeal(const FileDescriptor& file) {
  std::array<char, kHdf5Signature.size()> behind{};
  file.ReadAt(kSealBytes, behind.data(), behind.size());
  return std::string_view(behind.data(), behind.size()) == kHdf5Signature;
}

// A block without our magic: nothing at all, a file that a dying writer left, or a stranger.
[[noreturn]] void ThrowNoMagic(const std::filesystem::path& path, const FileDescriptor& file,
                               const Block& block, size_t got) {
  if (got == 0) ThrowDamaged(path, "it is empty");
  const std::string_view begin(reinterpret_cast<const char*>(block.data()), got);
  if (got < kMagic.size() && kMagic.starts_with(begin)) ThrowDamaged(path, "it is cut short");
  const bool hdf5_behind = HasHdf5BehindTheSeal(file);
  if (hdf5_behind && std::all_of(block.begin(), block.end(), [](auto b) { return b == 0; })) {
    ThrowDamaged(path, "it has no seal, so its writer was stopped before it was done");
  }
  throw InputError(fmt::format(
      "{} is {}, not a file of Lockstep (or its first bytes are destroyed). Name a dataset or a "
      "checkpoint.",
      path.string(),
      begin.starts_with(kHdf5Signature) || hdf5_behind ? "another program's HDF5 file"
                                                       : "of another format"));
}

Seal SealOf(const std::filesystem::path& path, const FileDescriptor& file) {
  Block block{};
  const size_t got = file.ReadAt(0, block.data(), block.size());
  if (got < kMagic.size() || std::memcmp(block.data(), kMagic.data(), kMagic.size()) != 0) {
    ThrowNoMagic(path, file, block, got);
  }
  if (got < block.size()) ThrowDamaged(path, "it is cut short");
  if (Load<uint64_t>(block, kChecksumAt) != ShortDigest(block.data(), kChecksumAt)) {
    ThrowDamaged(path, "the checksum of its seal does not hold");
  }
  Seal seal;
  const char* format = reinterpret_cast<const char*>(block.data() + kFormatAt);
  seal.format.assign(format, std::find(format, format + kFormatBytes, '\0'));
  seal.version = Load<uint32_t>(block, kVersionAt);
  seal.length_bytes = Load<uint64_t>(block, kLengthAt);
  seal.step = Load<int64_t>(block, kStepAt);
  for (size_t i = 0; i < kDigestBytes; ++i)
    seal.digest += fmt::format("{:02x}", block[kDigestAt + i]);
  return seal;
}

void RequireLength(const std::filesystem::path& path, const FileDescriptor& file,
                   const Seal& seal) {
  if (const uint64_t length = file.SizeBytes(); length != seal.length_bytes) {
    ThrowDamaged(path,
                 fmt::format("it has {} bytes and should have {}", length, seal.length_bytes));
  }
}

}  // namespace

bool LooksLikeOurs(const std::filesystem::path& path) {
  const FileDescriptor file = FileDescriptor::OpenForReading(path);
  std::array<char, kMagic.size()> begin{};
  file.ReadAt(0, begin.data(), begin.size());
  return std::string_view(begin.data(), begin.size()) == kMagic && HasHdf5BehindTheSeal(file);
}

Seal PeekSeal(const std::filesystem::path& path) {
  return SealOf(path, FileDescriptor::OpenForReading(path));
}

Seal ReadSeal(const std::filesystem::path& path) {
  const FileDescriptor file = FileDescriptor::OpenForReading(path);
  Seal seal = SealOf(path, file);
  RequireLength(path, file, seal);
  return seal;
}

Seal VerifyFile(const std::filesystem::path& path) {
  const FileDescriptor file = FileDescriptor::OpenForReading(path);
  Seal seal = SealOf(path, file);
  RequireLength(path, file, seal);
  if (DigestOfRest(file) != seal.digest) ThrowDamaged(path, "its digest does not hold");
  return seal;
}

void WriteSeal(const std::filesystem::path& path, const std::string& format, uint32_t version,
               int64_t step) {
  if (format.size() > kFormatBytes) throw std::invalid_argument("format name too long: " + format);
  const FileDescriptor file = FileDescriptor::OpenForWriting(path);
  Block block{};
  std::memcpy(block.data(), kMagic.data(), kMagic.size());
  std::memcpy(block.data() + kFormatAt, format.data(), format.size());
  Store<uint32_t>(block, kVersionAt, version);
  Store<uint64_t>(block, kLengthAt, file.SizeBytes());
  Store<int64_t>(block, kStepAt, step);
  const std::string digest = DigestOfRest(file);
  for (size_t i = 0; i < kDigestBytes; ++i) {
    std::from_chars(&digest[2 * i], &digest[2 * i] + 2, block[kDigestAt + i], 16);
  }
  Store<uint64_t>(block, kChecksumAt, ShortDigest(block.data(), kChecksumAt));
  file.WriteAt(0, block.data(), block.size());
}

}  // namespace lockstep::io
