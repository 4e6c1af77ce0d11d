#include "io/sequences/given_fields.h"

#include <algorithm>
#include <map>
#include <memory>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "io/checkpoints/checkpoint.h"
#include "io/datasets/sequence_layout.h"
#include "io/errors.h"
#include "io/files/file_format.h"
#include "io/files/seal.h"
#include "io/text/vocabulary_file.h"

namespace lockstep::io {
namespace {

namespace fs = std::filesystem;

using Kind = SequenceField::Kind;

const fs::path& FileOf(const SequenceImportOptions& options, std::string_view field) {
  if (field == "source" && !options.source_vocabulary_from.empty()) {
    return options.source_vocabulary_from;
  }
  if (field == "target" && !options.target_vocabulary_from.empty()) {
    return options.target_vocabulary_from;
  }
  return options.vocabulary_from;
}

// Where a field has a file of its own, --tokens is of the other one.
std::optional<TokenKind> KindSaidOf(const SequenceImportOptions& options, std::string_view field) {
  if (field == "source" && !options.source_vocabulary_from.empty()) return options.source_tokens;
  if (field == "target" && !options.target_vocabulary_from.empty()) return options.target_tokens;
  return options.ChosenKindOf(field);
}

// What a checkpoint of a task on sequences says: io/FORMATS.md.
std::vector<SequenceField> FieldsOfCheckpoint(const CheckpointHeader& header) {
  std::vector<SequenceField> fields;
  for (const auto& [name, vocabulary] : header.vocabularies) {
    fields.push_back({name, Kind::kTokens, vocabulary, {}});
  }
  if (header.vocabulary) {
    fields.push_back({fields.empty() ? "text" : "target", Kind::kTokens, *header.vocabulary, {}});
  }
  const auto facts = nlohmann::json::parse(header.facts, nullptr, false);
  if (!facts.is_object()) return fields;
  const auto names = [&](const char* fact, const char* field, Kind kind) {
    const auto found = facts.find(fact);
    if (found == facts.end() || !found->is_array() || found->empty()) return;
    SequenceField made{field, kind, {}, {}};
    for (const auto& entry : *found) {
      const bool number = kind == Kind::kVector;
      made.names.push_back((number ? entry.at("name") : entry).get<std::string>());
      if (!number) continue;
      made.means.push_back(entry.at("mean").get<double>());
      made.deviations.push_back(entry.at("deviation").get<double>());
    }
    fields.push_back(std::move(made));
  };
  names("labels", "label", Kind::kCategory);
  names("tags", "tags", Kind::kTags);
  names("vector", "vector", Kind::kVector);
  return fields;
}

// nullopt where the file is none of ours.
std::optional<std::vector<SequenceField>> FieldsOfFile(const fs::path& path) {
  if (!LooksLikeOurs(path)) return std::nullopt;
  const std::string format = PeekSeal(path).format;
  if (format == kSequencesFormat.name) return SequenceDataset::Open(path).fields();
  if (format == kCheckpointFormat.name) return FieldsOfCheckpoint(CheckpointReader(path).header());
  // A dataset of tokens.
  return std::vector<SequenceField>{{"text", Kind::kTokens, *ReadVocabularyOf(path), {}}};
}

// A file of one vocabulary gives it to fields of any name.
const SequenceField* TokensFor(std::string_view field, const std::vector<SequenceField>& fields) {
  const SequenceField* only = nullptr;
  int vocabularies = 0;
  for (const SequenceField& one : fields) {
    if (one.kind != Kind::kTokens) continue;
    if (one.name == field) return &one;
    only = &one;
    ++vocabularies;
  }
  return vocabularies == 1 ? only : nullptr;
}

// Tokens, one on each line, for texts to come: with an unknown token, and without a line end.
Vocabulary VocabularyOfFile(const fs::path& path, TokenKind kind,
                            const SequenceImportOptions& options) {
  ListedVocabulary form;
  form.kind = kind;
  form.line_end = "";
  form.normalization = options.normalization;
  form.lowercase = options.lowercase;
  if (kind == TokenKind::kSubword) {
    if (options.codes.empty()) {
      throw InputError(fmt::format(
          "{} lists pieces of words, which are made by merges: name their codes file with --codes.",
          path.string()));
    }
    form.subwords =
        std::make_shared<const Subwords>(Subwords::ReadCodes(options.codes, options.merges));
  }
  return VocabularyOfList(ReadTokenList(path, kind), form);
}

// What would say something else than given vocabularies, or is of counting alone.
void RequireNothingCounted(const SequenceImportOptions& options) {
  if (options.vocabulary_limit == 0 && options.min_count == 1) return;
  throw InputError(
      "--vocabulary and --min-count limit what is counted; with --vocabulary-from nothing is.");
}

}  // namespace

GivenFields::GivenFields(const SequenceImportOptions& options) {
  std::map<fs::path, std::optional<std::vector<SequenceField>>> files;
  const auto fields_of = [&](const fs::path& path) -> const auto& {
    const auto known = files.find(path);
    return known != files.end() ? known->second : files[path] = FieldsOfFile(path);
  };
  for (const FormField& field : FieldsOf(options.form)) {
    const bool tokens = field.kind == Kind::kTokens;
    const fs::path& path = tokens ? FileOf(options, field.name) : options.vocabulary_from;
    if (path.empty()) continue;
    if (tokens) {
      TakeTokens(options, field.name, path, fields_of(path));
    } else if (const auto& there = fields_of(path)) {
      TakeNames(field, path, *there);
    }
  }
  RequireOneWhereShared(options);
  RequireUseOfMerges(options);
}

void GivenFields::RequireOneWhereShared(const SequenceImportOptions& options) const {
  if (!options.shared_vocabulary || given_.empty()) return;
  const SequenceField *source = Find("source"), *target = Find("target");
  if (source == nullptr || target == nullptr) {
    throw InputError(
        "with --shared-vocabulary one file gives the vocabulary of both: --vocabulary-from.");
  }
  if (source->vocabulary == target->vocabulary) return;
  throw InputError(fmt::format(
      "{}: its sources and targets have vocabularies of their own; leave --shared-vocabulary out.",
      OriginOf("source")));
}

// Somewhere there must be pieces of words that do not come with merges.
void GivenFields::RequireUseOfMerges(const SequenceImportOptions& options) const {
  if (options.merges == 0 && options.codes.empty()) return;
  const char* const option = options.codes.empty() ? "--merges" : "--codes";
  const Given* with_its_own = nullptr;
  for (const FormField& field : FieldsOf(options.form)) {
    if (field.kind != Kind::kTokens) continue;
    const auto given = std::ranges::find_if(
        given_, [&](const Given& one) { return one.field.name == field.name; });
    if (given == given_.end() || given->is_list) {
      if (options.KindOf(field.name) == TokenKind::kSubword) return;
    } else {
      with_its_own = &*given;
    }
  }
  if (with_its_own != nullptr) ThrowComesWithItsOwn(with_its_own->origin, option);
  throw InputError(fmt::format("{} is for --tokens bpe.", option));
}

const SequenceField* GivenFields::Find(std::string_view field) const {
  const auto found =
      std::ranges::find_if(given_, [&](const Given& one) { return one.field.name == field; });
  return found == given_.end() ? nullptr : &found->field;
}

const std::string& GivenFields::OriginOf(std::string_view field) const {
  return std::ranges::find_if(given_, [&](const Given& one) { return one.field.name == field; })
      ->origin;
}

void GivenFields::TakeTokens(const SequenceImportOptions& options, std::string_view field,
                             const fs::path& path,
                             const std::optional<std::vector<SequenceField>>& fields) {
  if (!options.vocabulary_from.empty()) RequireNothingCounted(options);
  SequenceField given{std::string(field), Kind::kTokens, {}, {}};
  if (!fields) {
    given.vocabulary = VocabularyOfFile(path, options.KindOf(field), options);
  } else {
    const SequenceField* const there = TokensFor(field, *fields);
    if (there == nullptr) {
      throw InputError(fmt::format(
          "{} has no vocabulary for the field {}. Name another file, or for sources and targets "
          "one each: --source-vocabulary-from, --target-vocabulary-from.",
          path.string(), field));
    }
    given.vocabulary = there->vocabulary;
    if (options.form == SequenceForm::kTags && given.vocabulary.kind() != TokenKind::kWhitespace) {
      throw InputError(fmt::format(
          "{} has a vocabulary of kind {}, but what is tagged are tokens between white space. Name "
          "another file.",
          path.string(), TokenKindName(given.vocabulary.kind())));
    }
    RequireTokensOf(given.vocabulary, path,
                    {KindSaidOf(options, field), options.normalization, options.lowercase});
  }
  given_.push_back({std::move(given), path.string(), !fields});
}

void GivenFields::TakeNames(const FormField& field, const fs::path& path,
                            const std::vector<SequenceField>& fields) {
  for (const SequenceField& there : fields) {
    if (there.name != field.name || there.kind != field.kind) continue;
    given_.push_back({there, path.string(), false});
  }
}

}  // namespace lockstep::io
