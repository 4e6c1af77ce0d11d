#include "io/text/text_import.h"

#include <chrono>
#include <limits>
#include <memory>
#include <numeric>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include "io/datasets/dataset.h"
#include "io/errors.h"
#include "io/text/corpus_reader.h"
#include "io/text/subwords.h"
#include "io/text/text_encoder.h"
#include "io/text/text_file_reader.h"
#include "io/text/text_files.h"
#include "io/text/text_import_options.h"
#include "io/text/token_ids.h"
#include "io/text/vocabulary_builder.h"
#include "io/text/vocabulary_file.h"

namespace lockstep::io {
namespace {

constexpr uint64_t kDefaultWordLimit = 50'000;
constexpr uint64_t kDefaultSeparatedLimit = 1'000'000;
constexpr uint64_t kDefaultMerges = 10'000;

using Ends = std::array<uint64_t, kMostSplits>;
constexpr Ends kNowhere = {std::numeric_limits<uint64_t>::max(),
                           std::numeric_limits<uint64_t>::max(),
                           std::numeric_limits<uint64_t>::max()};

/// Tells the caller where the import stands, not too often.
class ProgressMeter {
 public:
  explicit ProgressMeter(const std::function<void(const TextImportProgress&)>& report)
      : report_(report) {}

  void set_bytes_total(uint64_t bytes) { now_.bytes_total = bytes; }

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

/// Counts words as TokenIds counts its units.
class WordTally : public TokenSink {
 public:
  explicit WordTally(bool line_ends) : line_ends_(line_ends) {}
  void TakeUnits(std::span<const uint32_t> units) override { words_ += units.size(); }
  void TakeWord(std::string_view word) override {
    if (line_ends_ || word != "\n") ++words_;
  }
  uint64_t words() const { return words_; }

 private:
  bool line_ends_;
  uint64_t words_ = 0;
};

/// Passes a text on to `ids` and notes how many tokens there are before the words at which splits
/// end.
class SplitMarker : public TokenSink {
 public:
  SplitMarker(TokenIds* ids, const Ends& ends_words) : ids_(ids), ends_words_(ends_words) {}

  void TakeUnits(std::span<const uint32_t> units) override { ids_->TakeUnits(units); }
  void TakeWord(std::string_view word) override {
    while (ended_ < ends_words_.size() && ids_->units() == ends_words_[ended_]) {
      ends_tokens_[ended_++] = ids_->tokens();
    }
    ids_->TakeWord(word);
  }
  /// The text has ended.
  Ends Finish() {
    while (ended_ < ends_words_.size()) ends_tokens_[ended_++] = ids_->tokens();
    return ends_tokens_;
  }

 private:
  TokenIds* ids_;
  Ends ends_words_;
  Ends ends_tokens_ = {};
  size_t ended_ = 0;
};

class Import {
 public:
  Import(const TextImportOptions& options,
         const std::function<void(const TextImportProgress&)>& progress)
      : options_(options), meter_(progress) {
    if (!options.vocabulary_from.empty()) given_ = ReadVocabularyOf(options.vocabulary_from);
    CheckTextImport(options, given_);
    form_ = FormOf(options, given_);
    if (!options.vocabulary_from.empty() && !given_) {
      list_ = ReadTokenList(options.vocabulary_from, form_.tokens);
    }
    if (!options.codes.empty()) {
      subwords_ =
          std::make_shared<const Subwords>(Subwords::ReadCodes(options.codes, options.merges));
    }
  }

  TextImportResult Run() {
    ListFiles();
    if (WordsDecide()) MeasureWords();
    MakeVocabulary();
    WriteDataset();
    if (!options_.write_codes.empty()) vocabulary_.subwords()->WriteCodes(options_.write_codes);
    return std::move(result_);
  }

 private:
  bool IsUnit() const {
    return form_.tokens == TokenKind::kChar || form_.tokens == TokenKind::kByte;
  }
  bool HasSplitFiles() const { return !options_.training_paths.empty(); }
  std::string LineEnd() const { return options_.line_end.value_or("\n"); }

  /// Whether splits end at words, so that merges can be learnt before the tokens are known.
  bool WordsDecide() const {
    const bool whole = SplitEnds(options_.split, 1)[0] == 1;
    return form_.tokens == TokenKind::kSubword && !HasSplitFiles() && !whole;
  }

  void ListFiles() {
    const std::vector<std::filesystem::path>* paths[] = {
        HasSplitFiles() ? &options_.training_paths : &options_.paths, &options_.validation_paths,
        &options_.test_paths};
    for (size_t split = 0; split < kMostSplits; ++split) {
      for (TextFile& file : ListTextFiles(*paths[split], options_.output)) {
        result_.bytes += file.bytes;
        files_.push_back(std::move(file));
      }
      files_until_[split] = files_.size();
    }
    result_.files = files_.size();
    result_.kind = form_.tokens;
    meter_.set_bytes_total(result_.bytes);
  }

  /// Reads all files into `sink`, which has `count` units in the end of each; notes them, or checks
  /// that they are as in the pass before.
  void ReadAll(int pass, TokenSink* sink, const std::function<uint64_t()>& count,
               const std::function<void(size_t file)>& at_end) {
    CorpusReader reader(form_, sink);
    meter_.StartPass(pass);
    const bool first = units_of_file_.empty();
    for (size_t i = 0; i < files_.size(); ++i) {
      current_ = &files_[i];
      const uint64_t before = count();
      reader.Read(files_[i], [&](uint64_t bytes) { meter_.Advance(bytes, count()); });
      const uint64_t units = count() - before;
      if (first) units_of_file_.push_back(units);
      if (units != units_of_file_[i]) ThrowChanged(files_[i]);
      at_end(i);
    }
    meter_.Report();
    result_.replaced = reader.replaced();
  }

  void MeasureWords() {
    WordTally tally(given_ ? given_->line_end().has_value() : !LineEnd().empty());
    ReadAll(
        0, &tally, [&] { return tally.words(); }, [](size_t) {});
    ends_words_ = SplitEnds(options_.split, tally.words());
    RequireTraining(ends_words_[0]);
  }

  void RequireTraining(uint64_t units) const {
    if (units > 0) return;
    throw InputError(fmt::format(
        "nothing to import: no {} in {} files of {} bytes{}. Check the paths.",
        form_.tokens == TokenKind::kSubword ? "word" : TokenKindName(form_.tokens), result_.files,
        result_.bytes, WordsDecide() || HasSplitFiles() ? " to train on" : ""));
  }

  void MakeVocabulary() {
    const bool learns = form_.tokens == TokenKind::kSubword && !given_ && !subwords_;
    if (given_) {
      vocabulary_ = std::move(*given_);
    } else if (!list_.empty() && !IsUnit() && !learns) {
      vocabulary_ = VocabularyOfList(std::move(list_), ListedForm(true));
    } else {
      CountTokens(learns);
    }
    result_.vocabulary_size = vocabulary_.size();
    if (vocabulary_.subwords()) result_.merges = vocabulary_.subwords()->merges().size();
  }

  ListedVocabulary ListedForm(bool needs_unknown) const {
    return {form_.tokens,        needs_unknown,   LineEnd(),
            form_.normalization, form_.lowercase, subwords_};
  }

  void CountTokens(bool learns) {
    const std::filesystem::path folder = options_.output.parent_path();
    VocabularyBuilder builder(form_.tokens, folder.empty() ? "." : folder,
                              options_.count_memory_bytes, LineEnd());
    if (WordsDecide()) builder.CountFirst(ends_words_[0]);
    uint64_t training = 0;
    ReadAll(
        1, &builder, [&] { return builder.tokens(); },
        [&](size_t i) {
          if (i + 1 != files_until_[0]) return;
          training = builder.tokens();
          if (HasSplitFiles()) builder.CountFirst(training);
        });
    RequireTraining(training);
    if (learns) {
      subwords_ = builder.LearnSubwords(options_.merges == 0 ? kDefaultMerges : options_.merges);
    }
    if (list_.empty()) {
      vocabulary_ = builder.Build(Limit(), form_.normalization, form_.lowercase, subwords_);
    } else {
      vocabulary_ = VocabularyOfList(list_, ListedForm(!IsUnit() || ListMisses(&builder)));
    }
  }

  /// Whether the text has characters or bytes that are not listed.
  bool ListMisses(VocabularyBuilder* builder) const {
    const std::unordered_set<std::string> listed(list_.begin(), list_.end());
    const Vocabulary found = builder->Build(0, "none", false);
    return std::any_of(found.tokens().begin(), found.tokens().end(),
                       [&](const std::string& token) { return !listed.contains(token); });
  }

  uint64_t Limit() const {
    if (options_.vocabulary_limit != 0) return options_.vocabulary_limit;
    if (SeparatedByWhiteSpace(form_.tokens)) return kDefaultSeparatedLimit;
    return form_.tokens == TokenKind::kWord ? kDefaultWordLimit : 0;
  }

  void WriteDataset() {
    DatasetWriter writer(options_.output, vocabulary_);
    TokenIds ids(
        vocabulary_, [&](std::span<const uint32_t> block) { writer.Append(block); },
        [&](const std::string& token, uint64_t) { ThrowMissing(token); });
    SplitMarker marker(&ids, WordsDecide() ? ends_words_ : kNowhere);
    std::vector<Source> sources;
    std::array<uint64_t, kMostSplits> ends_of_files = {};
    uint64_t tokens_before = 0;
    ReadAll(
        2, &marker, [&] { return ids.units(); },
        [&](size_t i) {
          sources.push_back({files_[i].path, files_[i].bytes, ids.tokens() - tokens_before});
          tokens_before = ids.tokens();
          for (size_t split = 0; split < kMostSplits; ++split) {
            if (i < files_until_[split]) ends_of_files[split] = ids.tokens();
          }
        });
    const Ends ends_of_words = marker.Finish();
    ids.Flush();
    RequireTraining(writer.size_tokens());
    Ends ends = SplitEnds(options_.split, writer.size_tokens());
    if (WordsDecide()) ends = ends_of_words;
    if (HasSplitFiles()) ends = ends_of_files;
    result_.tokens = writer.size_tokens();
    result_.unknown_tokens = ids.unknown_tokens();
    std::adjacent_difference(ends.begin(), ends.end(), result_.split_tokens.begin());
    result_.fingerprint = writer.Publish(ends, sources);
  }

  [[noreturn]] void ThrowMissing(const std::string& token) const {
    if (options_.vocabulary_from.empty()) ThrowChanged(*current_);
    throw InputError(fmt::format(
        "{} in {} is not in the vocabulary of {}, which has no unknown token.",
        QuotedToken(form_.tokens, token), current_->path, options_.vocabulary_from.string()));
  }

  const TextImportOptions& options_;
  ProgressMeter meter_;
  std::optional<Vocabulary> given_;
  CorpusForm form_;
  std::vector<std::string> list_;
  std::shared_ptr<const Subwords> subwords_;
  std::vector<TextFile> files_;
  std::array<size_t, kMostSplits> files_until_ = {};  // of each split and those before it
  std::vector<uint64_t> units_of_file_;               // empty: nothing was read so far
  Ends ends_words_ = {};
  Vocabulary vocabulary_;
  const TextFile* current_ = nullptr;
  TextImportResult result_;
};

}  // namespace

TextImportResult ImportText(const TextImportOptions& options,
                            const std::function<void(const TextImportProgress&)>& progress) {
  return Import(options, progress).Run();
}

}  // namespace lockstep::io
