#include <algorithm>
#include <cfloat>
#include <cmath>
#include <numeric>
#include <optional>
#include <stdexcept>
#include <utility>

#include <fmt/format.h>

#include "io/datasets/dataset.h"
#include "io/datasets/stored_vocabulary.h"
#include "io/datasets/token_layout.h"
#include "io/errors.h"
#include "io/files/file_format.h"
#include "io/files/publish.h"
#include "io/files/seal.h"
#include "io/hdf5/h5_pieces.h"
#include "io/hdf5/h5_writer.h"
#include "io/hdf5/string_list.h"

namespace lockstep::io {
namespace {

constexpr const char* kSplitNames[] = {"train", "validation", "test"};

std::vector<Split> SplitsFrom(std::span<const double> shares, uint64_t size_tokens) {
  std::vector<Split> splits;
  uint64_t begin = 0;
  for (const uint64_t end : SplitEnds(shares, size_tokens)) {
    splits.push_back({kSplitNames[splits.size()], begin, end});
    begin = end;
  }
  return splits;
}

}  // namespace

void CheckSplitShares(std::span<const double> shares) {
  const bool valid = shares.size() <= std::size(kSplitNames) &&
                     std::ranges::all_of(shares, [](double share) { return share >= 0; });
  const double total = std::accumulate(shares.begin(), shares.end(), 0.0);
  if (valid && total > 0 && std::isfinite(total)) return;
  throw InputError(
      "the split must be one to three shares for train, validation and test, none negative and at "
      "least one above 0. Give for example 90,5,5.");
}

// The factor forgives the rounding of the shares' own sum: 0.1 + 0.7 of 10 tokens is 8, not 7.
std::array<uint64_t, 3> SplitEnds(std::span<const double> shares, uint64_t size) {
  const double total = std::accumulate(shares.begin(), shares.end(), 0.0);
  std::array<uint64_t, 3> ends = {};
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
        type(TokenType(vocabulary.size())),
        file(output),
        writer(std::in_place, file.path(), output),
        pieces(&*writer, kTokensArray, kPieceDigestsArray, type, {kPieceTokens}) {}

  template <typename Element>
  void Append(std::span<const uint32_t> ids) {
    narrow.resize(ids.size() * sizeof(Element));
    auto* out = reinterpret_cast<Element*>(narrow.data());
    for (const uint32_t id : ids) *out++ = static_cast<Element>(id);
    pieces.Append(narrow.data(), ids.size());
  }

  void WriteRest(const std::vector<Split>& splits, const std::vector<Source>& sources) {
    WriteVocabulary(*writer, vocabulary);
    for (const Split& split : splits) {
      const uint64_t range[] = {split.begin, split.end};
      writer->WriteArray(fmt::format("{}/{}", kSplitsGroup, split.name),
                         std::span<const uint64_t>(range));
    }
    WriteSources(*writer, sources, kSourceUnit);
  }

  Vocabulary vocabulary;
  ElementType type;
  // In this order: HDF5 lets go of the file before it is removed.
  NewFile file;
  std::optional<H5Writer> writer;
  PieceWriter pieces;
  std::vector<char> narrow;  // tokens as they are stored
};

DatasetWriter::DatasetWriter(const std::filesystem::path& output, Vocabulary vocabulary) {
  if (vocabulary.size() > kMostVocabulary) {
    throw InputError(fmt::format("{}: a vocabulary of {} tokens is too large; limit it to {}.",
                                 output.string(), vocabulary.size(), kMostVocabulary));
  }
  impl_ = std::make_unique<Impl>(output, std::move(vocabulary));
}

DatasetWriter::~DatasetWriter() = default;

void DatasetWriter::Append(std::span<const uint32_t> tokens) {
  const uint64_t limit = impl_->vocabulary.size();
  const auto outside =
      std::find_if(tokens.begin(), tokens.end(), [=](uint32_t token) { return token >= limit; });
  if (outside != tokens.end()) {
    throw std::invalid_argument(
        fmt::format("token {} is outside the vocabulary of {}", *outside, limit));
  }
  while (!tokens.empty()) {
    const auto now = tokens.first(std::min<uint64_t>(kPieceTokens, tokens.size()));
    switch (ElementBytes(impl_->type)) {
      case 1:
        impl_->Append<uint8_t>(now);
        break;
      case 2:
        impl_->Append<uint16_t>(now);
        break;
      default:
        impl_->Append<uint32_t>(now);
    }
    tokens = tokens.subspan(now.size());
  }
}

uint64_t DatasetWriter::size_tokens() const { return impl_->pieces.size(); }

std::string DatasetWriter::Publish(std::span<const double> shares,
                                   const std::vector<Source>& sources) {
  if (size_tokens() == 0)
    throw InputError("there are no tokens to write. Name a text that is not empty.");
  CheckSplitShares(shares);
  const std::vector<Split> splits = SplitsFrom(shares, size_tokens());
  const std::string tokens_digest = impl_->pieces.Finish();
  impl_->WriteRest(splits, sources);
  impl_->writer->CloseAndCompare();
  WriteSeal(impl_->file.path(), std::string(kDatasetFormat.name), kDatasetFormat.version, 0);
  impl_->file.Publish();
  return DatasetFingerprint(tokens_digest, size_tokens(), impl_->vocabulary, splits);
}

}  // namespace lockstep::io
