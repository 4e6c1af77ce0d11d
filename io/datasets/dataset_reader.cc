#include <utility>

#include "io/datasets/dataset.h"
#include "io/datasets/id_pieces.h"
#include "io/datasets/stored_splits.h"
#include "io/datasets/stored_vocabulary.h"
#include "io/datasets/token_layout.h"
#include "io/files/file_format.h"
#include "io/files/seal.h"
#include "io/hdf5/h5_reader.h"

namespace lockstep::io {
namespace {

// Pieces that stay in memory: those that the lanes of one rank stand in, for up to 512 lanes of
// uint32.
constexpr uint64_t kCacheBytes = uint64_t{32} << 20;

}  // namespace

struct Dataset::Impl {
  explicit Impl(const std::filesystem::path& path_in)
      : path(path_in),
        reader(path),
        vocabulary(ReadVocabulary(reader)),
        tokens(reader, kTokensArray, kTokenDigestsArray, vocabulary.size(), kCacheBytes),
        splits(ReadSplits(reader, tokens.size(), "tokens")),
        fingerprint(
            DatasetFingerprint(tokens.array().digest(), tokens.size(), vocabulary, splits)) {}

  std::filesystem::path path;
  H5Reader reader;
  Vocabulary vocabulary;
  IdReader tokens;
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
uint64_t Dataset::size_tokens() const { return impl_->tokens.size(); }
const std::string& Dataset::fingerprint() const { return impl_->fingerprint; }

const Split& Dataset::split(std::string_view name) const {
  return FindSplit(impl_->splits, name, impl_->path);
}

SourceList Dataset::ReadSources(uint64_t most) const {
  return io::ReadSources(impl_->reader, kSourceUnit, most);
}

void Dataset::Read(uint64_t begin, std::span<int32_t> out) const { impl_->tokens.Read(begin, out); }

}  // namespace lockstep::io
