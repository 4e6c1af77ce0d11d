#include "io/text/text_import.h"

#include <algorithm>
#include <chrono>
#include <limits>
#include <memory>
#include <numeric>
#include <optional>
#include <unordered_set>
#include <utility>

#include <fmt/format.h>

#include "io/datasets/dataset.h"
#include "io/errors.h"
#include "io/text/corpus_reader.h"
#include "io/text/import_sinks.h"
#include "io/text/subwords.h"
#include "io/text/text_encoder.h"
#include "io/text/text_file_reader.h"
#include "io/text/text_files.h"
#include "io/text/text_import_options.h"
#include "io/text/token_record.h"
#include "io/text/vocabulary_builder.h"
#include "io/text/vocabulary_file.h"

namespace lockstep::io {
namespace {

constexpr uint64_t kDefaultWordLimit = 50'000;
constexpr uint64_t kDefaultSeparatedLimit = 1'000'000;
constexpr uint64_t kLeastCountMemoryBytes = 4096;  // as TextImportOptions has it

constexpr uint64_t kAll = std::numeric_limits<uint64_t>::max();

using Ends = std::array<uint64_t, kMostSplits>;

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

class Import {
 public:
  Import(const TextImportOptions& options,
         const std::function<void(const TextImportProgress&)>& progress)
      : options_(options), threads_(options.threads), meter_(progress) {
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
    if (WordsDecide() && !CountsWords()) MeasureWords();
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

  /// Whether the text itself tells which merges there are.
  bool Learns() const { return form_.tokens == TokenKind::kSubword && !given_ && !subwords_; }
  /// Whether words are counted, so that one pass finds and records them.
  bool CountsWords() const { return !IsUnit() && !given_ && (list_.empty() || Learns()); }

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

  /// Reads all files, each thread into the sink that `make_sink` gives it. Returns the sinks.
  template <class Sink>
  std::vector<std::unique_ptr<Sink>> ReadAll(
      int pass, const std::function<std::unique_ptr<Sink>(int thread)>& make_sink) {
    CorpusReader reader(form_, threads_);
    StartPass(pass);
    std::vector<std::unique_ptr<Sink>> sinks(static_cast<size_t>(threads_));
    reader.Read(files_, [&](int thread) -> PartSink& {
      return *(sinks[static_cast<size_t>(thread)] = make_sink(thread));
    });
    meter_.Report();
    result_.replaced = reader.replaced();
    return sinks;
  }

  void StartPass(int pass) {
    meter_.StartPass(pass);
    units_ = units_before_file_ = 0;
  }

  /// Behind each part, in the order of the text: notes the units in the end of its file, or checks
  /// that they are as in the pass before.
  void EndPart(const TextPart& part, uint64_t units, uint64_t tokens_so_far) {
    units_ += units;
    meter_.Advance(part.bytes, tokens_so_far);
    if (!part.ends_file) return;
    const uint64_t of_file = units_ - std::exchange(units_before_file_, units_);
    if (units_of_file_.size() == part.file) units_of_file_.push_back(of_file);
    if (of_file != units_of_file_[part.file]) ThrowChanged(files_[part.file]);
  }

  void MeasureWords() {
    const bool line_ends = given_ ? given_->line_end().has_value() : !LineEnd().empty();
    ReadAll<UnitTally>(0, [&](int) {
      return std::make_unique<UnitTally>(line_ends, [&](const TextPart& part, uint64_t units) {
        first_words_.push_back(units_);
        EndPart(part, units, units_ + units);
      });
    });
    ends_words_ = SplitEnds(options_.split, units_);
    RequireTraining(ends_words_[0]);
  }

  /// The words before a part, as they were measured.
  uint64_t FirstWord(const TextPart& part) const {
    if (part.number >= first_words_.size()) ThrowChanged(files_[part.file]);
    return first_words_[part.number];
  }

  /// How many units of a part are for training.
  uint64_t TrainingUnits(const TextPart& part) const {
    if (HasSplitFiles()) return part.file < files_until_[0] ? kAll : 0;
    return WordsDecide() ? 0 : kAll;  // 0: they are counted when it is known how many there are
  }

  void RequireTraining(uint64_t units) const {
    if (units > 0) return;
    throw InputError(fmt::format(
        "nothing to import: no {} in {} files of {} bytes{}. Check the paths.",
        form_.tokens == TokenKind::kSubword ? "word" : TokenKindName(form_.tokens), result_.files,
        result_.bytes, WordsDecide() || HasSplitFiles() ? " to train on" : ""));
  }

  void MakeVocabulary() {
    if (given_) {
      vocabulary_ = std::move(*given_);
    } else if (IsUnit() || CountsWords()) {
      CountTokens();
    } else {
      vocabulary_ = VocabularyOfList(std::move(list_), ListedForm(true));
    }
    result_.vocabulary_size = vocabulary_.size();
    if (vocabulary_.subwords()) result_.merges = vocabulary_.subwords()->merges().size();
  }

  ListedVocabulary ListedForm(bool needs_unknown) const {
    return {form_.tokens,        needs_unknown,   LineEnd(),
            form_.normalization, form_.lowercase, subwords_};
  }

  void CountTokens() {
    const bool learns = Learns();
    std::filesystem::path folder = options_.output.parent_path();
    if (folder.empty()) folder = ".";
    if (CountsWords()) record_.emplace(folder);
    uint64_t training = 0;
    counters_ = ReadAll<UnitCounter>(1, [&](int thread) {
      return std::make_unique<UnitCounter>(
          VocabularyBuilder(
              form_.tokens, folder,
              std::max<uint64_t>(kLeastCountMemoryBytes,
                                 options_.count_memory_bytes / static_cast<uint64_t>(threads_)),
              LineEnd()),
          record_.has_value(), [this](const TextPart& part) { return TrainingUnits(part); },
          [&, thread](const TextPart& part, uint64_t units, std::span<const TokenCode> codes) {
            if (part.file < files_until_[0]) training += units;
            if (record_) {
              record_->Append({part.file, part.bytes, units, static_cast<uint64_t>(thread),
                               part.ends_file ? uint64_t{1} : 0},
                              codes);
            }
            EndPart(part, units, units_ + units);
          });
    });
    if (WordsDecide()) {
      ends_words_ = SplitEnds(options_.split, units_);
      training = ends_words_[0];
    }
    RequireTraining(training);
    if (WordsDecide()) CountRecorded(training);
    VocabularyBuilder* first = nullptr;
    for (const auto& counter : counters_) {
      if (!counter) continue;
      first ? first->Add(counter->builder()) : void(first = counter->builder());
    }
    VocabularyBuilder& builder = *first;
    if (learns) {
      subwords_ = builder.LearnSubwords(MergesToLearn(options_.merges));
    }
    if (list_.empty()) {
      vocabulary_ = builder.Build(Limit(), form_.normalization, form_.lowercase, subwords_);
    } else {
      vocabulary_ = VocabularyOfList(list_, ListedForm(!IsUnit() || ListMisses(&builder)));
    }
  }

  /// Counts the first words of the record.
  void CountRecorded(uint64_t words) {
    std::vector<std::vector<uint64_t>> counts(counters_.size());
    for (auto& of_counter : counts) of_counter.resize(kMostCodes);
    record_->ForEach([&](const TokenRecord::Part& part, std::span<const TokenCode> codes) {
      std::vector<uint64_t>& of_counter = counts[part.counter];
      const auto is_counted = [&] { return words > 0 && words-- > 0; };
      ForEachToken(
          codes, [&](TokenCode code) { of_counter[code] += is_counted(); },
          [&](std::string_view word) {
            if (is_counted()) counters_[part.counter]->builder()->AddText(word);
          });
    });
    for (size_t i = 0; i < counters_.size(); ++i) {
      if (counters_[i])
        counters_[i]->builder()->AddCoded(counters_[i]->builder()->Coded(), counts[i]);
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
    std::vector<Source> sources;
    Ends ends_of_files = {}, ends_of_words = {};
    size_t ended = 0;  // splits, at words
    uint64_t tokens_before_file = 0;
    const auto write = [&](const TextPart& part, const PartIds& now) {
      for (const PartIds::End& end : now.ends) {
        ends_of_words[end.split] = writer.size_tokens() + end.tokens;
        ended = end.split + 1;
      }
      writer.Append(now.ids);
      result_.unknown_tokens += now.unknown;
      EndPart(part, now.units, writer.size_tokens());
      if (!part.ends_file) return;
      const TextFile& file = files_[part.file];
      const uint64_t tokens =
          writer.size_tokens() - std::exchange(tokens_before_file, writer.size_tokens());
      sources.push_back({file.path, file.bytes, tokens});
      for (size_t split = 0; split < kMostSplits; ++split) {
        if (part.file < files_until_[split]) ends_of_files[split] = writer.size_tokens();
      }
    };
    record_ ? ReadRecord(write) : Encode(write);
    for (size_t split = ended; split < kMostSplits; ++split) {
      ends_of_words[split] = writer.size_tokens();
    }
    RequireTraining(writer.size_tokens());
    Ends ends = SplitEnds(options_.split, writer.size_tokens());
    if (WordsDecide()) ends = ends_of_words;
    if (HasSplitFiles()) ends = ends_of_files;
    result_.tokens = writer.size_tokens();
    std::adjacent_difference(ends.begin(), ends.end(), result_.split_tokens.begin());
    result_.fingerprint = writer.Publish(ends, sources);
  }

  std::span<const uint64_t> EndsWords() const {
    return WordsDecide() ? std::span<const uint64_t>(ends_words_) : std::span<const uint64_t>();
  }

  void ReadRecord(const PartEncoder::Take& write) {
    StartPass(2);
    std::vector<std::vector<std::string_view>> coded(counters_.size());
    for (size_t i = 0; i < coded.size(); ++i) {
      if (counters_[i]) coded[i] = counters_[i]->builder()->Coded();
    }
    RecordEncoder encoder(vocabulary_, coded, EndsWords());
    record_->ForEach([&](const TokenRecord::Part& recorded, std::span<const TokenCode> codes) {
      TextPart part;
      part.file = recorded.file;
      part.bytes = recorded.bytes;
      part.ends_file = recorded.ends_file != 0;
      write(part, encoder.Encode(recorded, codes));
    });
    meter_.Report();
  }

  void Encode(const PartEncoder::Take& write) {
    ReadAll<PartEncoder>(2, [&](int) {
      return std::make_unique<PartEncoder>(
          vocabulary_, EndsWords(), [this](const TextPart& part) { return FirstWord(part); },
          [this](const TextPart& part, const std::string& token) { ThrowMissing(part, token); },
          write);
    });
  }

  [[noreturn]] void ThrowMissing(const TextPart& part, const std::string& token) const {
    const TextFile& file = files_[part.file];
    if (options_.vocabulary_from.empty()) ThrowChanged(file);
    throw InputError(fmt::format(
        "{} in {} is not in the vocabulary of {}, which has no unknown token.",
        QuotedToken(form_.tokens, token), file.path, options_.vocabulary_from.string()));
  }

  const TextImportOptions& options_;
  int threads_;
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
  std::vector<std::unique_ptr<UnitCounter>> counters_;  // of each thread; null: it had no part
  std::optional<TokenRecord> record_;                   // of words, where they are counted
  std::vector<uint64_t> first_words_;                   // of each part, where they were measured
  uint64_t units_ = 0;                                  // of this pass so far
  uint64_t units_before_file_ = 0;
  TextImportResult result_;
};

}  // namespace

TextImportResult ImportText(const TextImportOptions& options,
                            const std::function<void(const TextImportProgress&)>& progress) {
  return Import(options, progress).Run();
}

}  // namespace lockstep::io
