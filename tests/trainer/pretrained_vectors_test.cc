// Embeddings that begin with vectors that others trained, for every task that reads words.
#include <algorithm>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/trainer/program.h"
#include "tests/trainer/small_run.h"
#include "tests/trainer/task_cases.h"

namespace lockstep::trainer {
namespace {

using ::testing::HasSubstr;

constexpr int kWrongInput = 2;

// Vectors of twelve numbers for some tokens of characters, words and subwords, and for a word that
// no text has.
std::string Vectors() {
  std::string text;
  for (const char* word : {"e", "of", "a", "a@@", "xylophone"}) {
    text += word;
    for (int i = 0; i < 12; ++i) text += fmt::format(" {}", 0.25 * (i + 1));
    text += '\n';
  }
  return text;
}

class PretrainedVectorsTest : public testing::TestWithParam<std::string> {
 protected:
  static const TaskCase& Case() {
    return *std::ranges::find(AllTaskCases(), GetParam(), &TaskCase::name);
  }

  // How many rows of the embedding of a run's last checkpoint are the file's vector.
  int64_t RowsOfTheFile(const std::string& name) const {
    const auto checkpoint = io::ReadCheckpoint(run_.CheckpointPath(name, 20));
    const io::Tensor* embedding = checkpoint.Find("parameters/embedding.weight");
    if (!embedding) embedding = checkpoint.Find("parameters/encoder.embedding.weight");
    if (!embedding) return -1;
    int64_t rows = 0;
    for (size_t row = 0; row < embedding->shape[0]; ++row) {
      bool same = true;
      for (size_t i = 0; i < 12; ++i) {
        same = same && embedding->values[row * 12 + i] == 0.25f * static_cast<float>(i + 1);
      }
      rows += same;
    }
    return rows;
  }

  const SmallRun run_{Case()};
};

TEST_P(PretrainedVectorsTest, StayAsTheyAreOnlyWhereTheyAreFrozen) {
  run_.Write("vectors.txt", Vectors());
  // Weight decay pulls at rows that no gradient reaches, too.
  const Settings settings = {"training.steps=20", "model.embedding_size=12", "optimizer.adamw={}",
                             "model.pretrained_vectors=vectors.txt"};
  const Outcome outcome =
      RunProgram(run_.Train("runs/frozen", 2, settings + Settings{"model.freeze_pretrained=true"}));
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  const int64_t rows = RowsOfTheFile("runs/frozen");
  EXPECT_GT(rows, 0);
  EXPECT_THAT(outcome.err, HasSubstr(fmt::format("vectors.txt: {} of ", rows)));
  run_.TrainToTheEnd("runs/free", 2, settings);
  EXPECT_EQ(RowsOfTheFile("runs/free"), 0);
}

TEST_P(PretrainedVectorsTest, OfAnotherSizeAreRefused) {
  run_.Write("vectors.txt", Vectors());
  ExpectOneError(
      RunProgram(run_.Train("runs/a", 0,
                            {"model.embedding_size=16", "model.pretrained_vectors=vectors.txt"})),
      kWrongInput, {"vectors of 12 numbers, model.embedding_size is 16"});
  run_.Write("vectors.txt", "xylophone 1 2\n");
  ExpectOneError(
      RunProgram(run_.Train("runs/a", 0,
                            {"model.embedding_size=2", "model.pretrained_vectors=vectors.txt"})),
      kWrongInput, {"has none of the"});
}

INSTANTIATE_TEST_SUITE_P(Tasks, PretrainedVectorsTest,
                         testing::Values("language_model", "classify", "translate"),
                         [](const auto& one) { return one.param; });

}  // namespace
}  // namespace lockstep::trainer
