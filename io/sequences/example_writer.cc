#include "io/sequences/example_writer.h"

#include <algorithm>

#include <fmt/format.h>

#include "io/errors.h"
#include "io/series/table_rows.h"

namespace lockstep::io {
namespace {

using Kind = SequenceField::Kind;

}  // namespace

ExampleWriter::ExampleWriter(const SequenceImportOptions& options,
                             const std::vector<uint32_t>& tags, const std::vector<uint32_t>& labels,
                             CaptionColumns* columns, SequenceImportResult* result)
    : fields_(result->fields),
      tag_places_(tags),
      label_places_(labels),
      longest_(options.longest),
      columns_(columns),
      result_(result),
      writer_(options.output, options.form, fields_),
      ids_(fields_.size()),
      values_(fields_.size()) {
  for (const SequenceField& field : fields_) {
    if (field.kind == Kind::kTokens) encoders_.emplace_back(field.vocabulary);
  }
  result->longest.resize(fields_.size());
  for (SequenceImportResult::Part& part : result->parts) {
    part.tokens.resize(fields_.size());
    part.unknown.resize(fields_.size());
    part.name_counts.resize(fields_.size());
    for (size_t i = 0; i < fields_.size(); ++i) {
      const bool counted = fields_[i].kind == Kind::kCategory || fields_[i].kind == Kind::kTags;
      part.name_counts[i].resize(counted ? fields_[i].names.size() : 0);
    }
  }
}

bool ExampleWriter::Encode(const StoredExample& example) {
  size_t text = 0;
  bool empty = false, too_long = false;
  for (size_t i = 0; i < fields_.size(); ++i) {
    switch (fields_[i].kind) {
      case Kind::kTokens:
        try {
          ids_[i] = encoders_[text].Encode(example.texts[text]);
        } catch (const InputError& error) {  // of a vocabulary that was given
          constexpr size_t kShown = 60;
          throw InputError(
              fmt::format("{} ({}{}). Take over a vocabulary with an unknown token, or none.",
                          error.what(), Quoted(example.texts[text].substr(0, kShown)),
                          example.texts[text].size() > kShown ? "..." : ""));
        }
        ++text;
        empty = empty || ids_[i].empty();
        too_long = too_long || (longest_ != 0 && ids_[i].size() > longest_);
        break;
      case Kind::kTags:
        ids_[i].clear();
        for (const uint32_t tag : example.tags) ids_[i].push_back(tag_places_[tag]);
        break;
      case Kind::kCategory:
        ids_[i] = {label_places_[example.label]};
        break;
      case Kind::kVector:
        columns_->Encode(example, &vector_);
    }
  }
  result_->left_out_empty += empty ? 1 : 0;
  result_->left_out_long += !empty && too_long ? 1 : 0;
  return !empty && !too_long;
}

void ExampleWriter::Count() {
  SequenceImportResult::Part& part = result_->parts[part_];
  ++part.examples;
  for (size_t i = 0; i < fields_.size(); ++i) {
    for (const uint32_t id : ids_[i]) {
      if (!part.name_counts[i].empty()) ++part.name_counts[i][id];
      if (fields_[i].kind == Kind::kTokens && id == fields_[i].vocabulary.unknown()) {
        ++part.unknown[i];
      }
    }
    if (fields_[i].kind != Kind::kTokens) continue;
    part.tokens[i] += ids_[i].size();
    result_->longest[i] = std::max<uint64_t>(result_->longest[i], ids_[i].size());
  }
}

void ExampleWriter::Write(const StoredExample& example) {
  if (!Encode(example)) return;
  for (size_t i = 0; i < fields_.size(); ++i) {
    values_[i] = {ids_[i], fields_[i].kind == Kind::kVector ? vector_ : std::span<const float>()};
    if (fields_[i].kind == Kind::kTags && ids_[i].size() != ids_[0].size()) {
      throw InputError(fmt::format("the text {} has {} tokens and {} tags",
                                   Quoted(example.texts[0]), ids_[0].size(), ids_[i].size()));
    }
  }
  writer_.Append(values_);
  Count();
}

void ExampleWriter::EndPart() {
  ends_.push_back(writer_.size());
  ++part_;
}

std::string ExampleWriter::Publish(const std::vector<Source>& sources) {
  if (ends_[0] == 0) {
    throw InputError(fmt::format(
        "no example is left to train on: {} have an empty text, {} are longer than --longest",
        result_->left_out_empty, result_->left_out_long));
  }
  return writer_.Publish(ends_, sources);
}

}  // namespace lockstep::io
