#include "trainer/run/resume_check.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "trainer/exit_status.h"

namespace lockstep::trainer {
namespace {

using ::testing::HasSubstr;

proto::RunConfig Config(const std::vector<std::string>& overrides = {}) {
  return proto::ParseRunConfig("", "the test", overrides);
}

// Empty when a run with the defaults may go on with this override.
std::string Refusal(const std::string& override) {
  try {
    CheckSameTraining(Config(), Config({override}), "old.h5");
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

TEST(ResumeCheckTest, TheSameTrainingGoesOn) {
  EXPECT_NO_THROW(CheckSameTraining(Config(), Config(), "old.h5"));
}

TEST(ResumeCheckTest, AnEvaluationGoesOnOnlyOverTheSameTokens) {
  EXPECT_TRUE(SameEvaluation(Config(), Config({"evaluation.every_steps=7", "checkpoint.keep=9"})));
  EXPECT_FALSE(SameEvaluation(Config(), Config({"evaluation.split=test"})));
  EXPECT_FALSE(SameEvaluation(Config(), Config({"evaluation.most_tokens=7"})));
}

TEST(ResumeCheckTest, WhatWouldBeAnotherTrainingIsRefused) {
  // The override, and how the message tells old and new value apart.
  const std::vector<std::vector<std::string>> cases = {
      {"model.cell=GRU", "model.cell", "LSTM", "GRU"},
      {"model.layers=3", "model.layers", "2", "3"},
      {"model.hidden_size=128", "model.hidden_size", "256", "128"},
      {"model.embedding_size=0", "model.embedding_size", "64", "0"},
      {"data.lanes=32", "data.lanes", "64", "32"},
      {"data.time_steps=32", "data.time_steps", "64", "32"},
      {"data.split=test", "data.split", "train", "test"},
      {"training.seed=2", "training.seed", "1", "2"},
      {"training.accumulate_batches=2", "training.accumulate_batches", "1", "2"},
      {"optimizer.adamw={}", "optimizer", "adam", "adamw"},
      {"optimizer.sgd={}", "optimizer", "adam", "sgd"},
  };
  for (const auto& one : cases) {
    const std::string message = Refusal(one[0]);
    EXPECT_THAT(message, HasSubstr("old.h5: was trained with " + one[1] + " " + one[2] +
                                   ", the configuration says " + one[3] + "."));
    EXPECT_THAT(message, HasSubstr("--resume never")) << "what to do";
  }
}

TEST(ResumeCheckTest, TiedEmbeddingsAreAnotherModel) {
  const std::vector<std::string> square = {"model.embedding_size=256"};
  std::vector<std::string> tied = square;
  tied.push_back("model.tie_embedding=true");
  EXPECT_THROW(CheckSameTraining(Config(square), Config(tied), "old.h5"), UsageError);
}

TEST(ResumeCheckTest, WhatMayChangeBetweenTwoStartsIsAccepted) {
  for (const char* override :
       {"data.path=moved.h5", "model.dropout=0.5", "optimizer.learning_rate=0.1",
        "optimizer.adam.beta1=0.8", "optimizer.clip.none={}", "optimizer.schedule.constant={}",
        "training.epochs=20", "training.steps=7", "training.folder=elsewhere", "training.threads=3",
        "training.timeout_minutes=1", "evaluation.every_steps=7", "evaluation.split=test",
        "evaluation.early_stopping.patience=3", "checkpoint.every_steps=7", "checkpoint.keep=1"}) {
    EXPECT_EQ(Refusal(override), "") << override;
  }
}

}  // namespace
}  // namespace lockstep::trainer
