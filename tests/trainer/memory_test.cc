// What a command holds in memory beside what it needs.
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/trainer/program.h"
#include "tests/trainer/small_run.h"

namespace lockstep::trainer {
namespace {

// 21 million parameters, 84 MB: libraries and activations are little beside them.
const Settings kLargeModel = {
    "model.layers=1",        "model.hidden_size=1600",  "model.embedding_size=1600",
    "data.lanes=2",          "data.time_steps=2",       "evaluation.every_steps=0",
    "evaluation.split=test", "checkpoint.every_steps=0"};

int64_t PeakOf(const Launch& launch) {
  const Outcome outcome = RunProgram(launch);
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  return outcome.peak_bytes;
}

TEST(MemoryTest, ReadingACheckpointTakesNoMoreThanItsPlace) {
  const SmallRun run;
  run.Import("ab " + EnglishLikeText(40), "corpus.h5", {"--split", "80,10,10"});
  const int64_t first = PeakOf(run.Train("runs/a", 0, kLargeModel + Settings{"training.steps=1"}));
  const int64_t resumed =
      PeakOf(run.Train("runs/a", 0, kLargeModel + Settings{"training.steps=2"}));
  // Parameters, gradient and two moments in both. Seven such arrays were 1.3 times as much.
  EXPECT_LT(static_cast<double>(resumed), 1.1 * static_cast<double>(first));
  // Without a gradient, moments and a second copy.
  const std::string file = run.CheckpointPath("runs/a", 2);
  EXPECT_LT(static_cast<double>(PeakOf(run.Command({"evaluate", file, "--split", "test"}))),
            0.7 * static_cast<double>(first));
  EXPECT_LT(static_cast<double>(PeakOf(run.Command({"sample", file, "--length", "3"}))),
            0.7 * static_cast<double>(first));
}

}  // namespace
}  // namespace lockstep::trainer
