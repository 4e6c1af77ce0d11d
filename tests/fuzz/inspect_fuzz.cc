// libFuzzer target: whatever a dataset or a checkpoint holds, `inspect` says what it is or that it
// is damaged. Its seal always holds, as an attacker's would: damage never gets so far.
//
//     cmake -B build/fuzz -G Ninja -DLOCKSTEP_FUZZ=ON -DLOCKSTEP_TESTS=OFF
//         -DCMAKE_BUILD_TYPE=RelWithDebInfo
//         -DCMAKE_C_COMPILER=clang -DCMAKE_CXX_COMPILER=clang++
//     ninja -C build/fuzz inspect_fuzz
//     mkdir corpus
//     build/fuzz/inspect_fuzz --write-seeds corpus
//     export TMPDIR=/dev/shm
//     export ASAN_OPTIONS=detect_leaks=0:allocator_may_return_null=1
//     build/fuzz/inspect_fuzz corpus -max_len=24576 -timeout=20 -max_total_time=600
//
// HDF5 asks for what a heap of its own claims, which fails as it should, hence the options; it also
// leaks.
//
// An input is a byte of flags and then either an HDF5 file's bytes behind the seal, or a recipe of
// arrays and attributes from which HDF5 itself makes one. The HDF5 library is not instrumented; it
// has crashes of its own on bytes of the first kind (its maintainers list them as CVEs). A stack
// that ends in libhdf5 below H5Fopen, H5Oopen, H5Dread and the like is one of these; anything else
// is ours.

#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <fuzzer/FuzzedDataProvider.h>
#include <nlohmann/json.hpp>
#include <unistd.h>

#include "io/errors.h"
#include "io/files/digest.h"
#include "io/files/file_format.h"
#include "io/files/seal.h"
#include "io/hdf5/h5_writer.h"
#include "io/inspect.h"
#include "tests/io/small_files.h"
#include "tests/io/small_sequences.h"

namespace lockstep::io {
namespace {

namespace fs = std::filesystem;

// Flags in the first byte.
constexpr uint8_t kIsCheckpoint = 1;
constexpr uint8_t kMendChecksums = 2;
constexpr uint8_t kIsRecipe = 4;
constexpr uint8_t kIsSequences = 8;

fs::path Scratch() {
  static const fs::path path =
      fs::temp_directory_path() / ("inspect_fuzz." + std::to_string(::getpid()) + ".h5");
  return path;
}

void PutSeal(const fs::path& path, uint8_t flags) {
  const FileFormat& format = flags & kIsCheckpoint  ? kCheckpointFormat
                             : flags & kIsSequences ? kSequencesFormat
                                                    : kDatasetFormat;
  WriteSeal(path, std::string(format.name), format.version, 0);
}

// Bob Jenkins' lookup3, hashlittle, which HDF5 calls the metadata checksum.
uint32_t Lookup3(const uint8_t* key, size_t length) {
  const auto rotate = [](uint32_t x, int by) { return (x << by) | (x >> (32 - by)); };
  uint32_t a = 0xdeadbeef + static_cast<uint32_t>(length), b = a, c = a;
  const auto load = [&](size_t at, size_t most) {
    uint32_t word = 0;
    for (size_t i = 0; i < 4 && at + i < most; ++i) word |= uint32_t{key[at + i]} << (8 * i);
    return word;
  };
  size_t at = 0;
  for (; length - at > 12; at += 12) {
    a += load(at, length), b += load(at + 4, length), c += load(at + 8, length);
    a -= c, a ^= rotate(c, 4), c += b;
    b -= a, b ^= rotate(a, 6), a += c;
    c -= b, c ^= rotate(b, 8), b += a;
    a -= c, a ^= rotate(c, 16), c += b;
    b -= a, b ^= rotate(a, 19), a += c;
    c -= b, c ^= rotate(b, 4), b += a;
  }
  if (at == length) return c;
  a += load(at, length), b += load(at + 4, length), c += load(at + 8, length);
  c ^= b, c -= rotate(b, 14);
  a ^= c, a -= rotate(c, 11);
  b ^= a, b -= rotate(a, 25);
  c ^= b, c -= rotate(b, 16);
  a ^= c, a -= rotate(c, 4);
  b ^= a, b -= rotate(a, 14);
  c ^= b, c -= rotate(b, 24);
  return c;
}

// Makes the checksums of HDF5's own structures hold, so that what stands in them gets parsed. `h5`
// begins at the superblock; addresses count from there.
class Mender {
 public:
  explicit Mender(std::vector<uint8_t>* h5) : h5_(*h5) {}

  void Mend() {
    if (h5_.size() < 48) return;
    const uint64_t end = h5_.size() + kSealBytes;
    std::memcpy(&h5_[28], &end, sizeof(end));
    Put(0, 44);
    for (size_t at = 0; at + 4 < h5_.size(); ++at) {
      const std::string_view name(reinterpret_cast<const char*>(&h5_[at]), 4);
      if (name == "OHDR") Header(at);
      if (name == "FRHP") Put(at, 142);
      if (name == "FAHD") Put(at, 24);
      if (name == "EAHD") Put(at, 68);
      if (name == "BTHD") Tree(at);
    }
  }

 private:
  bool Has(uint64_t at, uint64_t bytes) const {
    return at <= h5_.size() && bytes <= h5_.size() - at;
  }
  uint64_t Number(size_t at, size_t bytes) const {
    uint64_t number = 0;
    if (Has(at, bytes)) std::memcpy(&number, &h5_[at], bytes);
    return number;
  }
  // The checksum of [at, at + bytes) comes behind it.
  void Put(uint64_t at, uint64_t bytes) {
    if (!Has(at, bytes) || !Has(at + bytes, 4)) return;
    const uint32_t sum = Lookup3(&h5_[at], bytes);
    std::memcpy(&h5_[at + bytes], &sum, sizeof(sum));
  }
  void Header(size_t at) {
    const uint64_t flags = Number(at + 5, 1);
    const size_t width = size_t{1} << (flags & 3);
    const size_t begin = at + 6 + (flags & 0x20 ? 16 : 0) + (flags & 0x10 ? 4 : 0);
    const uint64_t bytes = Number(begin, width);
    Messages(begin + width, bytes, flags & 4);
    Put(at, begin + width - at + bytes);
  }
  void Messages(size_t at, uint64_t bytes, bool ordered) {
    const size_t head = ordered ? 6 : 4;
    if (!Has(at, bytes)) return;
    for (const size_t end = at + bytes; at + head <= end;) {
      const uint64_t length = Number(at + 1, 2);
      if (h5_[at] == 0x10) {
        const uint64_t block = Number(at + head, 8), block_bytes = Number(at + head + 8, 8);
        if (block_bytes > 8 && Has(block, block_bytes)) Put(block, block_bytes - 4);
      }
      at += head + length;
    }
  }
  void Tree(size_t at) {
    const uint64_t record = Number(at + 10, 2), root = Number(at + 16, 8),
                   count = Number(at + 24, 2);
    Put(at, 34);
    Put(root, 6 + record * count);
  }

  std::vector<uint8_t>& h5_;
};

void PutFile(const fs::path& path, uint8_t flags, std::vector<uint8_t> h5) {
  if (flags & kMendChecksums) Mender(&h5).Mend();
  std::ofstream file(path, std::ios::binary | std::ios::trunc);
  file << std::string(kSealBytes, '\0');
  file.write(reinterpret_cast<const char*>(h5.data()), std::ssize(h5));
}

// Arrays and attributes under the names that the formats have, of any type, shape and value; their
// digests hold.
void CookFile(const fs::path& path, FuzzedDataProvider& data) {
  static const std::string kArrays[] = {"/tokens",
                                        "/token_digests",
                                        "/vocabulary/bytes",
                                        "/vocabulary/offsets",
                                        "/splits/train",
                                        "/splits/validation",
                                        "/sources/paths/bytes",
                                        "/sources/paths/offsets",
                                        "/sources/bytes",
                                        "/sources/tokens",
                                        "/configuration",
                                        "/parameters/a",
                                        "/parameters/b",
                                        "/state/h",
                                        "/optimizer/exp_avg/a",
                                        "/fields/text/values",
                                        "/fields/text/value_digests",
                                        "/fields/text/lengths",
                                        "/fields/label/values",
                                        "/fields/label/value_digests",
                                        "/fields/label/names/bytes",
                                        "/fields/label/names/offsets"};
  static const std::pair<std::string, std::string> kAttributes[] = {
      {"/vocabulary", "kind"},
      {"/vocabulary", "unknown"},
      {"/vocabulary", "normalization"},
      {"/vocabulary", "lowercase"},
      {"/", "dataset_fingerprint"},
      {"/", "step"},
      {"/counters", "step"},
      {"/counters", "epoch"},
      {"/measures", "loss"},
      {"/", "form"},
      {"/fields/text", "kind"},
      {"/fields/label", "kind"}};
  static const std::string kKinds[] = {"char", "byte",   "word",   "none",    "nfc",
                                       "",     "labels", "tokens", "category"};
  H5Writer writer(path, path);
  std::string digests;
  for (const std::string& name : kArrays) {
    const uint8_t choice = data.ConsumeIntegral<uint8_t>();
    if (choice == 0) continue;
    const auto type = static_cast<ElementType>(choice % 5);
    std::vector<uint64_t> shape;
    for (int i = choice / 5 % 4; i > 0; --i) shape.push_back(data.ConsumeIntegralInRange(0, 9));
    if (choice / 20 % 4 != 0) shape = {data.ConsumeIntegralInRange<uint64_t>(0, 300)};
    uint64_t bytes = ElementBytes(type);
    for (const uint64_t length : shape) bytes *= length;
    std::string values = data.ConsumeRandomLengthString(bytes);
    values.resize(bytes);
    if (name.ends_with("_digests") && choice % 2 == 1) values = digests, values.resize(bytes);
    writer.WriteArray(name, type, shape, values.data());
    if (name == "/tokens" || name.ends_with("/values")) {
      const uint64_t digest = ShortDigest(values.data(), values.size());
      digests.assign(reinterpret_cast<const char*>(&digest), sizeof(digest));
    }
  }
  for (const auto& [object, name] : kAttributes) {
    switch (data.ConsumeIntegralInRange(0, 4)) {
      case 0:
        writer.WriteAttribute(object, name, data.ConsumeIntegral<int64_t>());
        break;
      case 1:
        writer.WriteAttribute(object, name, data.ConsumeFloatingPoint<double>());
        break;
      case 2:
        writer.WriteAttribute(object, name, data.PickValueInArray(kKinds));
        break;
      case 3: {
        std::string value = data.ConsumeRandomLengthString(40);
        std::erase(value, '\0');  // these end a string
        writer.WriteAttribute(object, name, value);
        break;
      }
      default:
        break;
    }
  }
  writer.CloseAndCompare();
}

void WriteSeeds(const fs::path& folder) {
  const auto put = [&](const char* name, uint8_t flags) {
    std::ifstream file(Scratch(), std::ios::binary);
    std::string bytes{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
    bytes.replace(0, kSealBytes, 1, static_cast<char>(flags));
    std::ofstream(folder / name, std::ios::binary) << bytes;
  };
  WriteDataset(Scratch(), 100, 4);
  put("dataset", kMendChecksums);
  put("dataset_as_it_is", 0);
  WriteDataset(Scratch(), 40000, 256);
  put("larger_dataset", kMendChecksums);
  for (const SequenceForm form : kAllSequenceForms) {
    SmallSequences(form).Write(Scratch());
    put(std::string(SequenceFormName(form)).c_str(), kIsSequences | kMendChecksums);
  }
  SmallCheckpoint(5).Write(Scratch());
  put("checkpoint", kIsCheckpoint | kMendChecksums);
  std::string recipe(600, '\x1e');  // one dimension of uint8
  for (size_t i = 0; i < recipe.size(); ++i) recipe[i] = static_cast<char>(i * 7 + 1);
  recipe[0] = kIsRecipe;
  std::ofstream(folder / "recipe_of_dataset", std::ios::binary) << recipe;
  recipe[0] = kIsRecipe | kIsCheckpoint;
  std::ofstream(folder / "recipe_of_checkpoint", std::ios::binary) << recipe;
}

}  // namespace
}  // namespace lockstep::io

extern "C" int LLVMFuzzerInitialize(int* argc, char*** argv) {
  if (*argc == 3 && std::string_view((*argv)[1]) == "--write-seeds") {
    lockstep::io::WriteSeeds((*argv)[2]);
    std::exit(0);
  }
  return 0;
}

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* bytes, size_t size) {
  using namespace lockstep::io;
  if (size == 0) return 0;
  const uint8_t flags = bytes[0];
  const std::filesystem::path path = Scratch();
  if (flags & kIsRecipe) {
    FuzzedDataProvider data(bytes + 1, size - 1);
    CookFile(path, data);
  } else {
    PutFile(path, flags, {bytes + 1, bytes + size});
  }
  PutSeal(path, flags);
  try {
    const nlohmann::ordered_json json = InspectFile(path);
    static_cast<void>(json.dump(-1, ' ', false, nlohmann::json::error_handler_t::strict));
  } catch (const InputError&) {
  }
  return 0;
}
