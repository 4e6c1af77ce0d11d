#ifndef LOCKSTEP_TESTS_TRAINER_TASKS_TRANSLATE_PAIR_DATASET_H_
#define LOCKSTEP_TESTS_TRAINER_TASKS_TRANSLATE_PAIR_DATASET_H_

#include <array>
#include <filesystem>
#include <string>
#include <vector>

#include "io/datasets/sequence_dataset.h"
#include "proto/run_config.h"
#include "tests/io/temporary_folder.h"

namespace lockstep::trainer {

/// Small datasets of pairs (letters to other letters) and of captions (two numbers to letters).
class PairDatasets {
 public:
  using Tokens = std::vector<uint32_t>;

  /// Sources have the letters a to d, targets x to z; the last example is not to train on.
  io::SequenceDataset Pairs(const std::vector<std::pair<Tokens, Tokens>>& pairs) const {
    io::SequenceDatasetWriter writer(
        path_, io::SequenceForm::kPairs,
        {TokenField("source", {"a", "b", "c", "d"}), TokenField("target", {"x", "y", "z"})});
    for (const auto& [source, target] : pairs) {
      writer.Append(std::array{io::SequenceValue{source, {}}, io::SequenceValue{target, {}}});
    }
    return Publish(writer);
  }

  io::SequenceDataset Captions(
      const std::vector<std::pair<std::vector<float>, Tokens>>& captions) const {
    io::SequenceField vector = {
        "vector", io::SequenceField::Kind::kVector, {}, {"size", "weight"}, {3, 20}, {2, 10}};
    io::SequenceDatasetWriter writer(path_, io::SequenceForm::kCaptions,
                                     {std::move(vector), TokenField("text", {"x", "y", "z"})});
    for (const auto& [numbers, text] : captions) {
      writer.Append(std::array{io::SequenceValue{{}, numbers}, io::SequenceValue{text, {}}});
    }
    return Publish(writer);
  }

  proto::RunConfig Config(const std::string& task) const {
    return proto::ParseRunConfig("data { path: \"" + path_.string() + "\" } task { " + task + " }",
                                 "a test");
  }

 private:
  static io::SequenceField TokenField(const std::string& name, std::vector<std::string> letters) {
    return {name,
            io::SequenceField::Kind::kTokens,
            io::Vocabulary(io::TokenKind::kChar, std::move(letters), {}),
            {}};
  }
  io::SequenceDataset Publish(io::SequenceDatasetWriter& writer) const {
    const uint64_t size = writer.size();
    writer.Publish(std::array<uint64_t, 3>{size - 1, size - 1, size}, {});
    return io::SequenceDataset::Open(path_);
  }

  const io::TemporaryFolder folder_;
  const std::filesystem::path path_ = folder_ / "pairs.h5";
};

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TESTS_TRAINER_TASKS_TRANSLATE_PAIR_DATASET_H_
