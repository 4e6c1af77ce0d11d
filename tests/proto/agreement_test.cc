#include "proto/agreement.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/proto/schema_fields.h"

namespace lockstep::proto {
namespace {

RunConfig Config(const std::vector<std::string>& overrides = {}) {
  return ParseRunConfig("", "the test", overrides);
}

// "model.cell LSTM GRU": empty when a training with the defaults may go on with this override.
std::string Refusal(const std::string& override, Agreement agreement = TRAINING) {
  const auto found = FindDifference(Config(), Config({override}), agreement);
  return found ? found->field + " " + found->then + " " + found->now : "";
}

TEST(AgreementTest, TheSameTrainingGoesOn) {
  EXPECT_FALSE(FindDifference(Config(), Config(), TRAINING));
}

// Where defaults are written out, and where they are not.
TEST(AgreementTest, ADefaultIsAValue) {
  EXPECT_FALSE(FindDifference(RunConfig(), Config({"model.cell=LSTM"}), TRAINING));
  EXPECT_TRUE(FindDifference(RunConfig(), Config({"model.cell=GRU"}), TRAINING));
}

TEST(AgreementTest, AnEvaluationGoesOnOnlyOverTheSamePart) {
  for (const char* other : {"evaluation.every_steps=7", "checkpoint.keep=9"}) {
    EXPECT_EQ(Refusal(other, EVALUATION), "");
  }
  EXPECT_EQ(Refusal("evaluation.split=test", EVALUATION),
            "evaluation.split \"validation\" \"test\"");
  EXPECT_EQ(Refusal("evaluation.most_tokens=7", EVALUATION), "evaluation.most_tokens 500000 7");
  EXPECT_EQ(Refusal("model.precision=BF16", EVALUATION), "model.precision FLOAT32 BF16");
  EXPECT_EQ(Refusal("model.precision=BF16", TRAINING), "");
}

TEST(AgreementTest, WhatWouldBeAnotherTrainingDiffers) {
  // The override, and old and new value.
  const std::vector<std::vector<std::string>> cases = {
      {"model.cell=GRU", "model.cell", "LSTM", "GRU"},
      {"model.layers=3", "model.layers", "2", "3"},
      {"model.hidden_size=128", "model.hidden_size", "256", "128"},
      {"model.embedding_size=0", "model.embedding_size", "64", "0"},
      {"data.lanes=32", "data.lanes", "64", "32"},
      {"data.time_steps=32", "data.time_steps", "64", "32"},
      {"data.split=test", "data.split", "\"train\"", "\"test\""},
      {"training.seed=2", "training.seed", "1", "2"},
      {"training.accumulate_batches=2", "training.accumulate_batches", "1", "2"},
      {"optimizer.adamw={}", "optimizer", "adam", "adamw"},
      {"optimizer.sgd={}", "optimizer", "adam", "sgd"},
      {"optimizer.averaging.ema={}", "optimizer.averaging", "none", "ema"},
      {"task.language_model.vary_time_steps=true", "task.language_model.vary_time_steps", "false",
       "true"},
  };
  for (const auto& one : cases) {
    EXPECT_EQ(Refusal(one[0]), one[1] + " " + one[2] + " " + one[3]);
  }
}

TEST(AgreementTest, TiedEmbeddingsAreAnotherModel) {
  const std::vector<std::string> square = {"model.embedding_size=256"};
  std::vector<std::string> tied = square;
  tied.push_back("model.tie_embedding=true");
  EXPECT_TRUE(FindDifference(Config(square), Config(tied), TRAINING));
}

TEST(AgreementTest, WhatMayChangeBetweenTwoStartsIsNoDifference) {
  for (const char* override :
       {"data.path=moved.h5", "model.dropout=0.5", "optimizer.learning_rate=0.1",
        "optimizer.adam.beta1=0.8", "optimizer.clip.none={}", "optimizer.schedule.constant={}",
        "training.epochs=20", "training.steps=7", "training.folder=elsewhere", "training.threads=3",
        "training.timeout_minutes=1", "evaluation.every_steps=7", "evaluation.split=test",
        "evaluation.early_stopping.patience=3", "checkpoint.every_steps=7", "checkpoint.keep=1"}) {
    EXPECT_EQ(Refusal(override), "") << override;
  }
}

// What makes data, model or task another one must not be forgotten: each of these fields says what
// it must agree for.
TEST(AgreementTest, EveryFieldOfDataModelAndTaskIsMarked) {
  int marked = 0;
  for (const auto& [path, field] : AllFields()) {
    const bool of_these =
        path.starts_with("data.") || path.starts_with("model.") || path.starts_with("task.");
    if (!of_these || field->message_type() != nullptr) continue;
    EXPECT_TRUE(field->options().HasExtension(agree)) << path;
    ++marked;
  }
  EXPECT_GT(marked, 10);
}

}  // namespace
}  // namespace lockstep::proto
