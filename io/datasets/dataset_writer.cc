#include <algorithm>
#include <cfloat>
#include <cmath>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

#include "io/datasets/dataset.h"
#include "io/datasets/id_pieces.h"
#include "io/datasets/stored_splits.h"
#include "io/datasets/stored_vocabulary.h"
#include "io/datasets/token_layout.h"
#include "io/errors.h"
#include "io/files/file_format.h"
#include "io/files/publish.h"
#include "io/files/seal.h"
#include "io/hdf5/h5_writer.h"

namespace lockstep::io {

void CheckSplitShares(std::span<const double> shares) {
  const bool valid = shares.size() <= kMostSplits &&
                     std::ranges::all_of(shares, [](double share) { return share >= 0; });
  const double total = std::accumulate(shares.begin(), shares.end(), 0.0);
  if (valid && total > 0 && std::isfinite(total)) return;
  throw InputError(
      "the split must be one to three shares for train, validation and test, none negative and at "
      "least one above 0. Give for example 90,5,5.");
}

// The factor forgives the rounding of the shares' own sum: 0.1 + 0.7 of 10 tokens is 8, not 7.
std::array<uint64_t, kMostSplits> SplitEnds(std::span<const double> shares, uint64_t size) {
  const double total = std::accumulate(shares.begin(), shares.end(), 0.0);
  std::array<uint64_t, kMostSplits> ends = {};
  double cumulative = 0;
  for (size_t i = 0; i < ends.size(); ++i) {
    if (i < shares.size()) cumulative += shares[i];
    const double cut = static_cast<double>(size) * (cumulative / total);
    const auto end = static_cast<uint64_t>(cut * (1 + 8 * DBL_EPSILON));
    ends[i] = cumulative >= total ? size : std::min(end, size);
  }
  return ends;
}

struct DatasetWriter::Impl {
  Impl(const std::filesystem::path& output, Vocabulary vocabulary_in)
      : vocabulary(std::move(vocabulary_in)),
        file(output),
        writer(std::in_place, file.path(), output),
        tokens(&*writer, kTokensArray, kTokenDigestsArray, vocabulary.size()) {}

  Vocabulary vocabulary;
  // In this order: HDF5 lets go of the file before it is removed.
  NewFile file;
  std::optional<H5Writer> writer;
  IdWriter tokens;
};

DatasetWriter::DatasetWriter(const std::filesystem::path& output, Vocabulary vocabulary) {
  if (vocabulary.size() > kMostIds) {
    throw InputError(fmt::format("{}: a vocabulary of {} tokens is too large; limit it to {}.",
                                 output.string(), vocabulary.size(), kMostIds));
  }
  impl_ = std::make_unique<Impl>(output, std::move(vocabulary));
}

DatasetWriter::~DatasetWriter() = default;

void DatasetWriter::Append(std::span<const uint32_t> tokens) { impl_->tokens.Append(tokens); }

uint64_t DatasetWriter::size_tokens() const { return impl_->tokens.size(); }

std::string DatasetWriter::Publish(std::span<const double> shares,
                                   const std::vector<Source>& sources) {
  CheckSplitShares(shares);
  return Publish(SplitEnds(shares, size_tokens()), sources);
}

std::string DatasetWriter::Publish(std::span<const uint64_t> ends,
                                   const std::vector<Source>& sources) {
  if (size_tokens() == 0)
    throw InputError("there are no tokens to write. Name a text that is not empty.");
  if (ends.empty() || ends.size() > kMostSplits || !std::ranges::is_sorted(ends) ||
      ends.back() != size_tokens()) {
    throw std::invalid_argument(
        fmt::format("{} splits do not cover the {} tokens in order", ends.size(), size_tokens()));
  }
  const std::vector<Split> splits = SplitsUntil(ends);
  const std::string tokens_digest = impl_->tokens.Finish();
  WriteVocabulary(*impl_->writer, impl_->vocabulary);
  WriteSplits(*impl_->writer, splits);
  WriteSources(*impl_->writer, sources, kSourceUnit);
  impl_->writer->CloseAndCompare();
  WriteSeal(impl_->file.path(), std::string(kDatasetFormat.name), kDatasetFormat.version, 0);
  impl_->file.Publish();
  return DatasetFingerprint(tokens_digest, size_tokens(), impl_->vocabulary, splits);
}

}  // namespace lockstep::io
