#include "io/sequences/sequence_import.h"

#include <algorithm>
#include <deque>
#include <map>
#include <numeric>
#include <system_error>
#include <utility>

#include <fmt/format.h>

#include "io/datasets/dataset_place.h"
#include "io/datasets/sequence_layout.h"
#include "io/errors.h"
#include "io/sequences/caption_columns.h"
#include "io/sequences/example_parts.h"
#include "io/sequences/example_readers.h"
#include "io/sequences/example_spill.h"
#include "io/sequences/example_vocabulary.h"
#include "io/sequences/example_writer.h"
#include "io/sequences/given_fields.h"
#include "io/sequences/import_meter.h"
#include "io/sequences/import_sources.h"
#include "io/sequences/name_index.h"
#include "io/sequences/stored_example.h"
#include "io/series/table_rows.h"
#include "io/text/text_files.h"

namespace lockstep::io {
namespace {

namespace fs = std::filesystem;

using Kind = SequenceField::Kind;

constexpr int kParts = 3;
constexpr size_t kMostNames = 1'000'000;
constexpr size_t kMostShown = 5;

void CheckOptions(const SequenceImportOptions& options) {
  if (options.vocabulary_limit == 1) {
    throw InputError(
        "a vocabulary limit of 1 leaves room for the unknown token alone; it must be 0 (the "
        "default) or at least 2");
  }
  if (options.shared_vocabulary && options.KindOf("source") != options.KindOf("target")) {
    throw InputError("a vocabulary that source and target share has tokens of one kind");
  }
  if (!options.write_codes.empty()) RequirePlaceForCodes(options.write_codes, options.output);
  TextDecoder(options.encoding.name, true);  // unknown names
  RequirePlaceForDataset(options.output);
}

fs::path FolderOf(const fs::path& output) {
  return output.parent_path().empty() ? "." : output.parent_path();
}

uint64_t BytesOf(const ImportSource& source, const fs::path& output) {
  uint64_t bytes = 0;
  for (const fs::path& file : source.files) {
    if (file == "-") return 0;
    std::error_code missing;
    if (!fs::is_directory(file, missing)) {
      bytes += SourceBytes(file);
    } else {
      for (const TextFile& below : ListTextFiles({file}, output)) bytes += below.bytes;
    }
  }
  return bytes;
}

/// Keeps all examples until their parts and vocabularies are known.
class ExampleCollector : public ExampleSink {
 public:
  ExampleCollector(const SequenceImportOptions& options, ImportMeter* meter)
      : spill_(FolderOf(options.output), options.spill_memory_bytes), meter_(meter) {}

  void StartSource(int part, uint64_t bytes_before) {
    part_ = part;
    bytes_before_ = bytes_before;
  }

  void Take(const SourceExample& example, uint64_t bytes_read) override {
    EncodeExample(example, &labels_, &tags_, &record_);
    if (labels_.size() > kMostNames || tags_.size() > kMostNames) {
      throw InputError(fmt::format(
          "there are more than {} different {}. Are they read from the right column or file?",
          kMostNames, labels_.size() > kMostNames ? "labels" : "tags"));
    }
    spill_.Add(record_);
    parts_.push_back(static_cast<int8_t>(part_));
    meter_->Advance(bytes_before_ + bytes_read, spill_.size());
  }

  /// Once all sources are read.
  void SetParts(std::vector<int8_t> parts) { parts_ = std::move(parts); }

  /// Calls `visit` with the examples of a part, in their order.
  template <typename Visit>
  void VisitPart(int part, const Visit& visit) const {
    if (std::ranges::find(parts_, part) == parts_.end()) return;
    StoredExample example;
    spill_.Visit([&](uint64_t index, std::string_view record) {
      if (parts_[index] != part) return;
      DecodeExample(record, &example);
      visit(example);
    });
  }

  uint64_t size() const { return spill_.size(); }
  uint64_t SizeOf(int part) const {
    return static_cast<uint64_t>(std::ranges::count(parts_, part));
  }
  const NameIndex& labels() const { return labels_; }
  const NameIndex& tags() const { return tags_; }

 private:
  ExampleSpill spill_;
  ImportMeter* meter_;
  NameIndex labels_, tags_;
  std::vector<int8_t> parts_;
  int part_ = 0;
  uint64_t bytes_before_ = 0;
  std::string record_;
};

/// One import under way: reading, counting, writing.
class Import {
 public:
  Import(const SequenceImportOptions& options, const ImportMeter::Report& report)
      : options_(options), given_(options), meter_(report), collector_(options, &meter_) {
    if (!options.write_codes.empty()) RequireOneListOfMerges();
  }

  SequenceImportResult Run() {
    sources_ = ListSources(options_);
    ReadSources();
    CutParts();
    labels_ = SortNames(collector_.labels(), "label", "labels");
    tags_ = SortNames(collector_.tags(), "tags", "tags");
    MakeFields();
    WriteExamples();
    if (!options_.write_codes.empty()) WriteCodes();
    Tell();
    return std::move(result_);
  }

 private:
  void ReadSources() {
    std::vector<uint64_t> bytes;
    for (const ImportSource& source : sources_) bytes.push_back(BytesOf(source, options_.output));
    const bool unknown = std::ranges::find(bytes, 0u) != bytes.end();  // the standard input
    const uint64_t total = std::accumulate(bytes.begin(), bytes.end(), uint64_t{0});
    meter_.Start("reading", unknown ? 0 : total);
    uint64_t before = 0;
    for (size_t i = 0; i < sources_.size(); ++i) {
      collector_.StartSource(sources_[i].part, before);
      ReadSource(sources_[i]);
      before += bytes[i];
    }
    meter_.Advance(total, collector_.size());
    meter_.Tell();
  }

  void ReadSource(const ImportSource& source) {
    switch (options_.form) {
      case SequenceForm::kLabels:
        return ReadLabels(source, options_, &collector_, &notes_);
      case SequenceForm::kTags:
        return ReadTags(source, options_, &collector_, &notes_);
      case SequenceForm::kPairs:
        return ReadPairs(source, options_, &collector_, &notes_);
      case SequenceForm::kCaptions:
        return ReadCaptions(source, options_, &columns_, &collector_, &notes_);
    }
  }

  void CutParts() {
    if (sources_[0].part == ImportSource::kByShares) {
      collector_.SetParts(DrawParts(options_.split, collector_.size(), options_.shuffle));
    }
    if (collector_.SizeOf(0) > 0) return;
    throw InputError(fmt::format(
        "there is nothing to train on: {} examples in {} files, none of "
        "them for training. Check the files{}.",
        collector_.size(), notes_.sources.size(), collector_.size() == 0 ? "" : " and --split"));
  }

  NameIndex::Sorted SortNames(const NameIndex& names, std::string_view field,
                              std::string_view what) const {
    const SequenceField* const given = given_.Find(field);
    if (given == nullptr || names.size() == 0) return names.Sort();
    return names.SortAs(given->names, what, given_.OriginOf(field));
  }

  // What the dataset's fields are: as given, or from the examples for training alone.
  void MakeFields() {
    const bool has_label = collector_.labels().size() > 0;
    const std::vector<Vocabulary> vocabularies = MakeVocabularies();
    size_t next_text = 0;
    for (const FormField& field : FieldsOf(options_.form)) {
      if (!field.required && !has_label) continue;
      SequenceField made{std::string(field.name), field.kind, {}, {}};
      switch (field.kind) {
        case Kind::kTokens:
          made.vocabulary = vocabularies[next_text++];
          break;
        case Kind::kTags:
          made.names = tags_.names;
          break;
        case Kind::kCategory:
          made.names = labels_.names;
          break;
        case Kind::kVector:
          made = columns_.MakeField();
      }
      result_.fields.push_back(std::move(made));
    }
  }

  // Of each field of tokens.
  std::vector<Vocabulary> MakeVocabularies() {
    std::deque<ExampleVocabulary> counters;
    std::vector<ExampleVocabulary*> of_text;  // null where nothing is to be counted
    for (const FormField& field : FieldsOf(options_.form)) {
      if (field.kind != Kind::kTokens) continue;
      if (given_.Find(field.name) != nullptr) {
        of_text.push_back(nullptr);
        continue;
      }
      if (counters.empty() || !options_.shared_vocabulary) {
        counters.emplace_back(options_.KindOf(field.name), options_);
      }
      of_text.push_back(&counters.back());
    }
    if (options_.form == SequenceForm::kCaptions) {
      const SequenceField* const given = given_.Find("vector");
      columns_.Decide(given, given == nullptr ? "" : given_.OriginOf("vector"));
    }
    CountTraining(of_text);
    std::map<ExampleVocabulary*, Vocabulary> counted;
    for (ExampleVocabulary& counter : counters) counted.emplace(&counter, counter.Build());
    std::vector<Vocabulary> vocabularies;
    for (const FormField& field : FieldsOf(options_.form)) {
      if (field.kind != Kind::kTokens) continue;
      ExampleVocabulary* const counter = of_text[vocabularies.size()];
      vocabularies.push_back(counter == nullptr ? given_.Find(field.name)->vocabulary
                                                : counted.at(counter));
    }
    return vocabularies;
  }

  void CountTraining(const std::vector<ExampleVocabulary*>& of_text) {
    meter_.Start("counting", collector_.SizeOf(0));
    uint64_t done = 0;
    collector_.VisitPart(0, [&](const StoredExample& example) {
      for (size_t i = 0; i < of_text.size(); ++i) {
        if (of_text[i] != nullptr) of_text[i]->Count(example.texts[i]);
      }
      if (options_.form == SequenceForm::kCaptions) columns_.Learn(example);
      meter_.Advance(++done, collector_.size());
    });
    meter_.Tell();
  }

  void WriteExamples() {
    ExampleWriter writer(options_, tags_.place_of_number, labels_.place_of_number, &columns_,
                         &result_);
    meter_.Start("writing", collector_.size());
    uint64_t done = 0;
    for (int part = 0; part < kParts; ++part) {
      collector_.VisitPart(part, [&](const StoredExample& example) {
        writer.Write(example);
        meter_.Advance(++done, collector_.size());
      });
      writer.EndPart();
    }
    meter_.Tell();
    result_.fingerprint = writer.Publish(notes_.sources);
  }

  // A codes file holds one list.
  void RequireOneListOfMerges() const {
    int lists = 0;
    for (const FormField& field : FieldsOf(options_.form)) {
      if (field.kind != Kind::kTokens) continue;
      const SequenceField* const given = given_.Find(field.name);
      const TokenKind kind =
          given != nullptr ? given->vocabulary.kind() : options_.KindOf(field.name);
      lists += kind == TokenKind::kSubword ? 1 : 0;
    }
    if (lists == 0) {
      throw InputError("--write-codes is for --tokens bpe.");
    }
    if (lists > 1 && !options_.shared_vocabulary) {
      throw InputError(
          "sources and targets have merges of their own, which --write-codes would write into one "
          "file. Add --shared-vocabulary, or leave --write-codes out.");
    }
  }

  void WriteCodes() const {
    for (const SequenceField& field : result_.fields) {
      if (field.kind != Kind::kTokens || field.vocabulary.subwords() == nullptr) continue;
      return field.vocabulary.subwords()->WriteCodes(options_.write_codes);
    }
  }

  // What a person should know beside the numbers.
  void Tell() {
    result_.files = notes_.sources.size();
    for (const Source& source : notes_.sources) result_.bytes += source.bytes;
    result_.replaced = notes_.replaced;
    result_.notes = columns_.Notes();
    result_.warnings = columns_.Warnings();
    if (notes_.joined_tokens > 0) {
      result_.notes.push_back(fmt::format("{} tokens had white space inside, which became \"_\"",
                                          notes_.joined_tokens));
    }
    if (notes_.beside_classes > 0) {
      result_.warnings.push_back(
          fmt::format("{} files beside the folders of classes, or hidden, are left out",
                      notes_.beside_classes));
    }
    if (notes_.further_columns > 0) {
      result_.warnings.push_back(
          fmt::format("{} lines have columns behind the second one, which are left out",
                      notes_.further_columns));
    }
    for (size_t i = 0; i < result_.fields.size(); ++i) {
      TellUnseenNames(i);
      TellUnknownTokens(i);
    }
  }

  // Of a vocabulary that is not made of these texts.
  void TellUnknownTokens(size_t field) {
    const std::string& name = result_.fields[field].name;
    if (result_.fields[field].kind != Kind::kTokens || given_.Find(name) == nullptr) return;
    uint64_t tokens = 0, unknown = 0;
    for (const SequenceImportResult::Part& part : result_.parts) {
      tokens += part.tokens[field];
      unknown += part.unknown[field];
    }
    if (2 * unknown <= tokens) return;
    result_.warnings.push_back(fmt::format(
        "{:.1f}% of the tokens of {} are none of {}: is it the vocabulary of such texts?",
        100.0 * static_cast<double>(unknown) / static_cast<double>(tokens), name,
        given_.OriginOf(name)));
  }

  // Names that a model will never be taught.
  void TellUnseenNames(size_t field) {
    if (given_.Find(result_.fields[field].name) != nullptr) return;
    const auto& train = result_.parts[0].name_counts[field];
    uint64_t names = 0, uses = 0;
    std::string shown;
    for (size_t i = 0; i < train.size(); ++i) {
      uint64_t here = 0;
      for (int part = 1; part < kParts; ++part) here += result_.parts[part].name_counts[field][i];
      if (train[i] > 0 || here == 0) continue;
      ++names;
      uses += here;
      if (names <= kMostShown) {
        shown += (names > 1 ? ", " : "") + Quoted(result_.fields[field].names[i]);
      }
    }
    if (names == 0) return;
    result_.warnings.push_back(fmt::format(
        "validation and test alone have {} of the {} {} ({} times), which no model can get right: "
        "{}{}",
        names, train.size(), result_.fields[field].kind == Kind::kTags ? "tags" : "labels", uses,
        shown, names > kMostShown ? ", ..." : ""));
  }

  const SequenceImportOptions& options_;
  const GivenFields given_;
  ImportMeter meter_;
  std::vector<ImportSource> sources_;
  ExampleCollector collector_;
  ReadingNotes notes_;
  CaptionColumns columns_;
  NameIndex::Sorted labels_, tags_;
  SequenceImportResult result_;
};

}  // namespace

std::optional<TokenKind> SequenceImportOptions::ChosenKindOf(std::string_view field) const {
  if (form == SequenceForm::kTags) return TokenKind::kWhitespace;
  if (field == "source" && source_tokens) return source_tokens;
  if (field == "target" && target_tokens) return target_tokens;
  return tokens;
}

SequenceImportResult ImportSequences(
    const SequenceImportOptions& options,
    const std::function<void(const SequenceImportProgress&)>& progress) {
  CheckOptions(options);
  return Import(options, progress).Run();
}

}  // namespace lockstep::io
