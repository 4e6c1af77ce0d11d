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
#include "io/files/digest.h"
#include "io/files/file_format.h"
#include "io/files/publish.h"
#include "io/files/seal.h"
#include "io/hdf5/h5_writer.h"
#include "io/hdf5/string_list.h"

namespace lockstep::io {
namespace {

// Written together, because every call into HDF5 costs as much as some thousand tokens.
constexpr uint64_t kBufferTokens = 16 * kPieceTokens;

constexpr const char* kSplitNames[] = {"train", "validation", "test"};

// [0, N) cut at the cumulative shares, rounded down. The factor forgives the rounding of the
// shares' own sum: 0.1 + 0.7 of 10 tokens is 8, not 7.
std::vector<Split> SplitsFrom(std::span<const double> shares, uint64_t size_tokens) {
  const double total = std::accumulate(shares.begin(), shares.end(), 0.0);
  std::vector<Split> splits;
  double cumulative = 0;
  uint64_t begin = 0;
  for (size_t i = 0; i < std::size(kSplitNames); ++i) {
    if (i < shares.size()) cumulative += shares[i];
    const double cut = static_cast<double>(size_tokens) * (cumulative / total);
    const auto end = static_cast<uint64_t>(cut * (1 + 8 * DBL_EPSILON));
    splits.push_back(
        {kSplitNames[i], begin, cumulative >= total ? size_tokens : std::min(end, size_tokens)});
    begin = splits.back().end;
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

struct DatasetWriter::Impl {
  Impl(const std::filesystem::path& output, Vocabulary vocabulary_in)
      : vocabulary(std::move(vocabulary_in)),
        type(TokenType(vocabulary.size())),
        file(output),
        writer(std::in_place, file.path(), output),
        stream(writer->StartStream(kTokensArray, type, kPieceTokens)) {
    buffer.reserve(kBufferTokens * ElementBytes(type));
  }

  template <typename Element>
  void Buffer(std::span<const uint32_t> tokens) {
    const size_t old_bytes = buffer.size();
    buffer.resize(old_bytes + tokens.size() * sizeof(Element));
    auto* out = reinterpret_cast<Element*>(buffer.data() + old_bytes);
    for (const uint32_t token : tokens) *out++ = static_cast<Element>(token);
  }

  void Flush() {
    const uint64_t bytes = ElementBytes(type);
    for (uint64_t at = 0; at < buffer.size(); at += kPieceTokens * bytes) {
      const uint64_t piece_bytes = std::min<uint64_t>(kPieceTokens * bytes, buffer.size() - at);
      piece_digests.push_back(ShortDigest(buffer.data() + at, piece_bytes));
    }
    stream.Append(buffer.data(), buffer.size() / bytes);
    buffer.clear();
  }

  void WriteRest(const std::vector<Split>& splits, const std::vector<Source>& sources) {
    writer->WriteArray(kPieceDigestsArray, std::span<const uint64_t>(piece_digests));
    WriteVocabulary(*writer, vocabulary);
    for (const Split& split : splits) {
      const uint64_t range[] = {split.begin, split.end};
      writer->WriteArray(fmt::format("{}/{}", kSplitsGroup, split.name),
                         std::span<const uint64_t>(range));
    }
    std::vector<std::string> paths;
    std::vector<uint64_t> bytes, tokens;
    for (const Source& source : sources) {
      paths.push_back(source.path);
      bytes.push_back(source.bytes);
      tokens.push_back(source.tokens);
    }
    WriteStringList(*writer, kSourcePathsGroup, paths);
    writer->WriteArray(kSourceBytesArray, std::span<const uint64_t>(bytes));
    writer->WriteArray(kSourceTokensArray, std::span<const uint64_t>(tokens));
  }

  Vocabulary vocabulary;
  ElementType type;
  // In this order: HDF5 lets go of the file before it is removed.
  NewFile file;
  std::optional<H5Writer> writer;
  H5Stream stream;
  std::vector<char> buffer;  // tokens as they are stored
  std::vector<uint64_t> piece_digests;
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
  const uint64_t element_bytes = ElementBytes(impl_->type);
  while (!tokens.empty()) {
    const uint64_t room = kBufferTokens - impl_->buffer.size() / element_bytes;
    const std::span<const uint32_t> now = tokens.first(std::min<uint64_t>(room, tokens.size()));
    switch (element_bytes) {
      case 1:
        impl_->Buffer<uint8_t>(now);
        break;
      case 2:
        impl_->Buffer<uint16_t>(now);
        break;
      default:
        impl_->Buffer<uint32_t>(now);
    }
    if (now.size() == room) impl_->Flush();
    tokens = tokens.subspan(now.size());
  }
}

uint64_t DatasetWriter::size_tokens() const {
  return impl_->stream.size() + impl_->buffer.size() / ElementBytes(impl_->type);
}

std::string DatasetWriter::Publish(std::span<const double> shares,
                                   const std::vector<Source>& sources) {
  if (size_tokens() == 0)
    throw InputError("there are no tokens to write. Name a text that is not empty.");
  impl_->Flush();
  CheckSplitShares(shares);
  const std::vector<Split> splits = SplitsFrom(shares, size_tokens());
  const std::string tokens_digest = impl_->stream.Finish();
  impl_->WriteRest(splits, sources);
  impl_->writer->CloseAndCompare();
  WriteSeal(impl_->file.path(), std::string(kDatasetFormat.name), kDatasetFormat.version, 0);
  impl_->file.Publish();
  return DatasetFingerprint(tokens_digest, size_tokens(), impl_->vocabulary, splits);
}

}  // namespace lockstep::io
