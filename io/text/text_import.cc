#include "io/text/text_import.h"

#include <chrono>
#include <numeric>
#include <utility>

#include <fmt/format.h>

#include "io/datasets/dataset.h"
#include "io/datasets/dataset_place.h"
#include "io/errors.h"
#include "io/text/text_decoder.h"
#include "io/text/text_file_reader.h"
#include "io/text/text_files.h"
#include "io/text/text_segmenter.h"
#include "io/text/token_ids.h"
#include "io/text/vocabulary_builder.h"

namespace lockstep::io {
namespace {

constexpr uint64_t kDefaultWordLimit = 50'000;
constexpr char16_t kByteOrderMark = 0xFEFF;

/// Tells the caller where the import stands, not too often.
class ProgressMeter {
 public:
  ProgressMeter(const std::function<void(const TextImportProgress&)>& report, uint64_t bytes_total)
      : report_(report) {
    now_.bytes_total = bytes_total;
  }

  void StartPass(int pass) {
    now_.pass = pass;
    now_.bytes_done = 0;
  }

  void Advance(uint64_t bytes, uint64_t tokens) {
    now_.bytes_done += bytes;
    now_.tokens = tokens;
    if (std::chrono::steady_clock::now() - reported_ >= std::chrono::milliseconds(250)) Report();
  }

  void Report() {
    reported_ = std::chrono::steady_clock::now();
    if (report_) report_(now_);
  }

 private:
  const std::function<void(const TextImportProgress&)>& report_;
  TextImportProgress now_;
  std::chrono::steady_clock::time_point reported_ = std::chrono::steady_clock::now();
};

/// Reads files through decoder and segmenter into a sink.
class CorpusReader {
 public:
  CorpusReader(const TextImportOptions& options, TokenSink* sink)
      : encoding_(options.encoding),
        raw_(options.tokens == TokenKind::kByte && SameEncoding(options.encoding, "utf-8") &&
             options.normalization == "none" && !options.lowercase),
        decoder_(options.encoding, options.replace_invalid),
        segmenter_(options.tokens, options.normalization, options.lowercase, sink),
        block_(options.block_bytes) {}

  /// Calls `advance` with the bytes of each block behind it.
  void Read(const TextFile& file, const std::function<void(uint64_t bytes)>& advance) {
    TextFileReader reader(file);
    bool at_start = true;
    bool at_end = false;
    while (!at_end) {
      const std::string_view bytes = reader.Read(block_);
      at_end = bytes.size() < block_.size();
      if (raw_) {
        segmenter_.FeedBytes(bytes);
      } else {
        FeedText(file, bytes, at_end, &at_start);
      }
      advance(bytes.size());
    }
    segmenter_.Finish();
  }

  uint64_t replaced() const { return decoder_.replaced(); }

 private:
  void FeedText(const TextFile& file, std::string_view bytes, bool at_end, bool* at_start) {
    text_.clear();
    if (const auto invalid = decoder_.Decode(bytes, at_end, &text_)) ThrowInvalid(file, *invalid);
    std::u16string_view text = text_;
    if (*at_start && !text.empty()) {
      *at_start = false;
      if (text.front() == kByteOrderMark) text.remove_prefix(1);
    }
    segmenter_.Feed(text);
  }

  [[noreturn]] void ThrowInvalid(const TextFile& file, const InvalidBytes& invalid) const {
    throw InputError(fmt::format(
        "{} is not {} at byte offset {}: {}{}. Name the file's own encoding with --encoding, or "
        "import what is wrong as U+FFFD with --invalid replace.",
        file.path, encoding_, invalid.offset, Hex(invalid.bytes),
        invalid.truncated ? " (the file ends within a character)" : ""));
  }

  std::string encoding_;
  bool raw_;
  TextDecoder decoder_;
  TextSegmenter segmenter_;
  std::vector<char> block_;
  std::u16string text_;
};

void CheckOptions(const TextImportOptions& options) {
  if (options.vocabulary_limit == 1) {
    throw InputError(
        "a vocabulary limit of 1 leaves room for the unknown token alone; it must be 0 (the "
        "default) or at least 2");
  }
  // Everything that is wrong with the shares and the output is found now, not after hours of
  // counting.
  CheckSplitShares(options.split);
  RequirePlaceForDataset(options.output);
}

uint64_t VocabularyLimit(const TextImportOptions& options) {
  if (options.vocabulary_limit != 0) return options.vocabulary_limit;
  return options.tokens == TokenKind::kWord ? kDefaultWordLimit : 0;
}

/// What the first pass finds out.
struct Counts {
  Vocabulary vocabulary;
  std::vector<uint64_t> tokens_of_file;
  uint64_t replaced = 0;
};

Counts CountTokens(const TextImportOptions& options, const std::vector<TextFile>& files,
                   ProgressMeter* meter) {
  Counts counts;
  const std::filesystem::path folder = options.output.parent_path();
  VocabularyBuilder builder(options.tokens, folder.empty() ? "." : folder,
                            options.count_memory_bytes);
  CorpusReader reader(options, &builder);
  meter->StartPass(1);
  for (const TextFile& file : files) {
    const uint64_t tokens_before = builder.tokens();
    reader.Read(file, [&](uint64_t bytes) { meter->Advance(bytes, builder.tokens()); });
    counts.tokens_of_file.push_back(builder.tokens() - tokens_before);
  }
  meter->Report();
  counts.replaced = reader.replaced();
  counts.vocabulary =
      builder.Build(VocabularyLimit(options), options.normalization, options.lowercase);
  return counts;
}

/// The second pass. Returns how many tokens became the unknown token.
uint64_t WriteTokens(const TextImportOptions& options, const std::vector<TextFile>& files,
                     const Counts& counts, ProgressMeter* meter, DatasetWriter* writer) {
  const TextFile* current = nullptr;
  TokenIds ids(
      counts.vocabulary, [&](std::span<const uint32_t> block) { writer->Append(block); },
      [&](const std::string&, uint64_t) { ThrowChanged(*current); });
  CorpusReader reader(options, &ids);
  meter->StartPass(2);
  for (size_t i = 0; i < files.size(); ++i) {
    current = &files[i];
    const uint64_t tokens_before = ids.tokens();
    reader.Read(files[i], [&](uint64_t bytes) { meter->Advance(bytes, ids.tokens()); });
    if (ids.tokens() - tokens_before != counts.tokens_of_file[i]) ThrowChanged(files[i]);
  }
  ids.Flush();
  meter->Report();
  return ids.unknown_tokens();
}

}  // namespace

TextImportResult ImportText(const TextImportOptions& options,
                            const std::function<void(const TextImportProgress&)>& progress) {
  CheckOptions(options);
  std::vector<TextFile> files = ListTextFiles(options.paths, options.output);
  TextImportResult result;
  result.files = files.size();
  for (const TextFile& file : files) result.bytes += file.bytes;

  ProgressMeter meter(progress, result.bytes);
  const Counts counts = CountTokens(options, files, &meter);
  result.tokens =
      std::accumulate(counts.tokens_of_file.begin(), counts.tokens_of_file.end(), uint64_t{0});
  if (result.tokens == 0) {
    throw InputError(
        fmt::format("nothing to import: no {} in {} files of {} bytes. Check the paths.",
                    TokenKindName(options.tokens), result.files, result.bytes));
  }
  result.vocabulary_size = counts.vocabulary.size();
  result.replaced = counts.replaced;

  DatasetWriter writer(options.output, counts.vocabulary);
  result.unknown_tokens = WriteTokens(options, files, counts, &meter, &writer);
  std::vector<Source> sources;
  for (size_t i = 0; i < files.size(); ++i) {
    sources.push_back({std::move(files[i].path), files[i].bytes, counts.tokens_of_file[i]});
  }
  result.fingerprint = writer.Publish(options.split, sources);
  return result;
}

}  // namespace lockstep::io
