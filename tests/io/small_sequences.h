#ifndef LOCKSTEP_TESTS_IO_SMALL_SEQUENCES_H_
#define LOCKSTEP_TESTS_IO_SMALL_SEQUENCES_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "io/datasets/sequence_dataset.h"

namespace lockstep::io {

/// A dataset of any form with all fields that it can have. Example i's sequences have 1 + i % 7
/// tokens or so; the fields' words, tags and labels are few.
struct SmallSequences {
  using Kind = SequenceField::Kind;

  explicit SmallSequences(SequenceForm form_in = SequenceForm::kTags, uint64_t count = 40)
      : form(form_in) {
    switch (form) {
      case SequenceForm::kLabels:
        fields = {Tokens("text"), Named("label", Kind::kCategory)};
        break;
      case SequenceForm::kTags:
        fields = {Tokens("text"), Named("tags", Kind::kTags), Named("label", Kind::kCategory)};
        break;
      case SequenceForm::kPairs:
        fields = {Tokens("source"), Tokens("target")};
        break;
      case SequenceForm::kCaptions:
        fields = {Named("vector", Kind::kVector), Tokens("text")};
        fields[0].means = {1, 2, 3, -4.5};
        fields[0].deviations = {1, 0.5, 3, 1e-3};
    }
    for (uint64_t i = 0; i < count; ++i) Add(i);
    ends = {count / 2, count * 3 / 4, count};
  }

  static SequenceField Tokens(const std::string& name) {
    return {name,
            Kind::kTokens,
            Vocabulary(TokenKind::kWord, {"<unk>", "an", "be", "cat", "dog"}, 0, "nfc", true),
            {}};
  }
  static SequenceField Named(const std::string& name, Kind kind) {
    return {name, kind, {}, {"I-" + name, "O", "P", "Q"}};
  }

  void Add(uint64_t index) {
    std::vector<std::vector<uint32_t>> example_ids(fields.size());
    std::vector<std::vector<float>> example_numbers(fields.size());
    for (size_t i = 0; i < fields.size(); ++i) {
      const bool target = fields[i].name == "target";
      const uint64_t length = 1 + (index + (target ? 3 : 0)) % 7;
      if (fields[i].kind == Kind::kVector) {
        for (size_t n = 0; n < fields[i].names.size(); ++n) {
          example_numbers[i].push_back(static_cast<float>(index) + 0.25f * static_cast<float>(n));
        }
      } else {
        const uint64_t own = fields[i].kind == Kind::kCategory ? 1 : length;
        for (uint64_t n = 0; n < own; ++n) {
          example_ids[i].push_back(static_cast<uint32_t>((index * 5 + n * (i + 1)) % 4));
        }
      }
    }
    ids.push_back(std::move(example_ids));
    numbers.push_back(std::move(example_numbers));
  }

  /// Returns the fingerprint.
  std::string Write(const std::filesystem::path& path) const {
    SequenceDatasetWriter writer(path, form, fields);
    for (size_t i = 0; i < ids.size(); ++i) {
      std::vector<SequenceValue> values;
      for (size_t f = 0; f < fields.size(); ++f) values.push_back({ids[i][f], numbers[i][f]});
      writer.Append(values);
    }
    return writer.Publish(ends, {{"first.txt", 100, 30}, {"b/second.txt", 200, 10}});
  }

  SequenceForm form;
  std::vector<SequenceField> fields;
  std::vector<std::vector<std::vector<uint32_t>>> ids;   // [example][field]
  std::vector<std::vector<std::vector<float>>> numbers;  // [example][field]
  std::vector<uint64_t> ends;
};

inline constexpr SequenceForm kAllSequenceForms[] = {SequenceForm::kLabels, SequenceForm::kTags,
                                                     SequenceForm::kPairs, SequenceForm::kCaptions};

}  // namespace lockstep::io

#endif  // LOCKSTEP_TESTS_IO_SMALL_SEQUENCES_H_
