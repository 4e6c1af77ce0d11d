#include "io/sequences/example_vocabulary.h"

#include <filesystem>
#include <memory>
#include <utility>

namespace lockstep::io {
namespace {

constexpr uint64_t kDefaultWordLimit = 50'000;

std::filesystem::path FolderOf(const std::filesystem::path& output) {
  const std::filesystem::path folder = output.parent_path();
  return folder.empty() ? "." : folder;
}

}  // namespace

ExampleVocabulary::ExampleVocabulary(TokenKind kind, const SequenceImportOptions& options)
    : kind_(kind),
      options_(options),
      builder_(kind, FolderOf(options.output), options.count_memory_bytes, ""),
      decoder_("utf-8", true),
      segmenter_(kind, options.normalization, options.lowercase, &builder_) {
  builder_.KeepUnknown();
  if (options.min_count > 1) builder_.DropBelow(options.min_count);
}

void ExampleVocabulary::Count(std::string_view text) {
  if (kind_ == TokenKind::kByte && options_.normalization == "none" && !options_.lowercase) {
    segmenter_.FeedBytes(text);
  } else {
    units_.clear();
    decoder_.Decode(text, true, &units_);
    segmenter_.Feed(units_);
  }
  segmenter_.Finish();
}

Vocabulary ExampleVocabulary::Build() {
  uint64_t limit = options_.vocabulary_limit;
  const bool of_words = kind_ == TokenKind::kWord || kind_ == TokenKind::kWhitespace;
  if (limit == 0 && of_words) limit = kDefaultWordLimit;
  std::shared_ptr<const Subwords> subwords;
  if (kind_ == TokenKind::kSubword) {
    subwords = options_.codes.empty() ? builder_.LearnSubwords(MergesToLearn(options_.merges))
                                      : std::make_shared<const Subwords>(
                                            Subwords::ReadCodes(options_.codes, options_.merges));
  }
  return builder_.Build(limit, options_.normalization, options_.lowercase, std::move(subwords));
}

}  // namespace lockstep::io
