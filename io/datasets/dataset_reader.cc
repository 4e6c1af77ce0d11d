#include <algorithm>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "io/datasets/dataset.h"
#include "io/datasets/stored_vocabulary.h"
#include "io/datasets/token_layout.h"
#include "io/errors.h"
#include "io/files/file_format.h"
#include "io/files/seal.h"
#include "io/hdf5/h5_pieces.h"
#include "io/hdf5/h5_reader.h"
#include "io/hdf5/string_list.h"

namespace lockstep::io {
namespace {

// Pieces that stay in memory: those that the lanes of one rank stand in, for up to 512 lanes of
// uint32.
constexpr uint64_t kCacheBytes = uint64_t{32} << 20;

constexpr std::string_view kSplitOrder[] = {"train", "validation", "test"};

std::vector<Split> ReadSplits(const H5Reader& reader, uint64_t size_tokens) {
  const std::string prefix = std::string(kSplitsGroup) + "/";
  std::vector<Split> splits;
  for (const std::string& name : reader.array_names()) {
    if (!name.starts_with(prefix)) continue;
    const std::vector<uint64_t> range = reader.ReadArray<uint64_t>(name);
    if (range.size() != 2 || range[0] > range[1] || range[1] > size_tokens) {
      reader.FailBecause(name + " is not a range of the tokens");
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

}  // namespace

struct Dataset::Impl {
  explicit Impl(const std::filesystem::path& path_in)
      : path(path_in),
        reader(path),
        vocabulary(ReadVocabulary(reader)),
        pieces(reader, kTokensArray, kPieceDigestsArray, kPieceTokens, kCacheBytes) {
    if (tokens().shape().size() != 1 || vocabulary.size() > kMostVocabulary ||
        tokens().type() != TokenType(vocabulary.size())) {
      reader.FailBecause(fmt::format("{} should be {} in one dimension, for a vocabulary of {}",
                                     kTokensArray, ElementName(TokenType(vocabulary.size())),
                                     vocabulary.size()));
    }
    pieces.set_check([this](auto piece, uint64_t index) { CheckPiece(piece, index); });
    splits = ReadSplits(reader, tokens().size());
    fingerprint = DatasetFingerprint(tokens().digest(), tokens().size(), vocabulary, splits);
  }

  template <typename Element>
  void CheckIds(std::span<const char> piece, uint64_t index) const {
    const auto* ids = reinterpret_cast<const Element*>(piece.data());
    const Element most = *std::max_element(ids, ids + piece.size() / sizeof(Element));
    if (most >= vocabulary.size()) {
      reader.FailBecause(fmt::format("token {} in piece {} is outside the vocabulary of {}", most,
                                     index, vocabulary.size()));
    }
  }

  void CheckPiece(std::span<const char> piece, uint64_t index) const {
    const uint64_t bytes = ElementBytes(tokens().type());
    if (bytes == 1) CheckIds<uint8_t>(piece, index);
    if (bytes == 2) CheckIds<uint16_t>(piece, index);
    if (bytes == 4) CheckIds<uint32_t>(piece, index);
  }

  const H5Array& tokens() const { return pieces.array(); }

  void Widen(std::span<const char> piece, uint64_t first, std::span<int32_t> out) const {
    const auto copy = [&](const auto* ids) { std::copy_n(ids + first, out.size(), out.data()); };
    switch (tokens().type()) {
      case ElementType::kUint8:
        return copy(reinterpret_cast<const uint8_t*>(piece.data()));
      case ElementType::kUint16:
        return copy(reinterpret_cast<const uint16_t*>(piece.data()));
      default:
        return copy(reinterpret_cast<const uint32_t*>(piece.data()));
    }
  }

  std::filesystem::path path;
  H5Reader reader;
  Vocabulary vocabulary;
  PieceReader pieces;
  std::vector<Split> splits;
  std::string fingerprint;
};

Dataset Dataset::Open(const std::filesystem::path& path) {
  RequireFormat(path, ReadSeal(path), kDatasetFormat);
  return Dataset(std::make_unique<Impl>(path));
}

Dataset::Dataset(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Dataset::Dataset(Dataset&&) noexcept = default;
Dataset& Dataset::operator=(Dataset&&) noexcept = default;
Dataset::~Dataset() = default;

const std::filesystem::path& Dataset::path() const { return impl_->path; }
const Vocabulary& Dataset::vocabulary() const { return impl_->vocabulary; }
const std::vector<Split>& Dataset::splits() const { return impl_->splits; }
uint64_t Dataset::size_tokens() const { return impl_->tokens().size(); }
const std::string& Dataset::fingerprint() const { return impl_->fingerprint; }

const Split& Dataset::split(std::string_view name) const {
  std::vector<std::string> names;
  for (const Split& split : impl_->splits) {
    if (split.name == name) return split;
    names.push_back(split.name);
  }
  throw InputError(fmt::format("{} has no split {}. It has: {}.", impl_->path.string(), name,
                               fmt::join(names, ", ")));
}

SourceList Dataset::ReadSources(uint64_t most) const {
  return io::ReadSources(impl_->reader, kSourceUnit, most);
}

void Dataset::Read(uint64_t begin, std::span<int32_t> out) const {
  const uint64_t size = size_tokens();
  if (begin > size || out.size() > size - begin) {
    throw std::out_of_range(fmt::format("tokens {} to {} of {}: there are {}", begin,
                                        begin + out.size(), impl_->path.string(), size));
  }
  while (!out.empty()) {
    const uint64_t index = begin / kPieceTokens;
    const uint64_t first = begin % kPieceTokens;
    const uint64_t count = std::min<uint64_t>(kPieceTokens - first, out.size());
    impl_->Widen(impl_->pieces.Piece(index), first, out.first(count));
    begin += count;
    out = out.subspan(count);
  }
}

}  // namespace lockstep::io
