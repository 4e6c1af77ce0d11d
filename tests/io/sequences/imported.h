#ifndef LOCKSTEP_TESTS_IO_SEQUENCES_IMPORTED_H_
#define LOCKSTEP_TESTS_IO_SEQUENCES_IMPORTED_H_

#include <string>
#include <string_view>
#include <vector>

#include <gtest/gtest.h>

#include "io/datasets/sequence_dataset.h"
#include "io/errors.h"
#include "io/sequences/sequence_import.h"
#include "tests/io/temporary_folder.h"

namespace lockstep::io {

/// An import in a folder of its own, and what came of it.
class SequenceImportTest : public testing::Test {
 protected:
  explicit SequenceImportTest(SequenceForm form) {
    options_.form = form;
    options_.output = folder_ / "out.h5";
  }

  std::string Write(std::string_view name, std::string_view text) {
    return folder_.Write(name, text).string();
  }

  SequenceImportResult Import() { return result_ = ImportSequences(options_); }

  /// The message of the InputError with which it ends.
  std::string Error() {
    try {
      Import();
    } catch (const InputError& error) {
      return error.what();
    }
    return "no error";
  }

  /// The examples of a split: the tokens, tags or names of a field, with spaces between them.
  std::vector<std::string> Field(const std::string& name, const std::string& split = "train") {
    const SequenceDataset dataset = SequenceDataset::Open(options_.output);
    const int field = dataset.Find(name);
    const SequenceField& described = dataset.field(name);
    std::vector<std::string> texts;
    for (uint64_t i = dataset.split(split).begin; i < dataset.split(split).end; ++i) {
      std::vector<int32_t> ids(1);
      if (described.kind == SequenceField::Kind::kCategory) {
        ids[0] = dataset.ReadCategory(field, i);
      } else {
        ids.resize(dataset.Length(field, i));
        dataset.ReadIds(field, i, ids);
      }
      std::string text;
      for (const int32_t id : ids) {
        const auto at = static_cast<size_t>(id);
        text += (text.empty() ? "" : " ") + (described.kind == SequenceField::Kind::kTokens
                                                 ? described.vocabulary.tokens()[at]
                                                 : described.names[at]);
      }
      texts.push_back(text);
    }
    return texts;
  }

  std::vector<std::vector<float>> Vectors(const std::string& split = "train") {
    const SequenceDataset dataset = SequenceDataset::Open(options_.output);
    std::vector<std::vector<float>> vectors;
    for (uint64_t i = dataset.split(split).begin; i < dataset.split(split).end; ++i) {
      vectors.emplace_back(dataset.field("vector").names.size());
      dataset.ReadVector(dataset.Find("vector"), i, vectors.back());
    }
    return vectors;
  }

  TemporaryFolder folder_;
  SequenceImportOptions options_;
  SequenceImportResult result_;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_TESTS_IO_SEQUENCES_IMPORTED_H_
