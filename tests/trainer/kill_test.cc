// kill -9 of all ranks around the writing of checkpoints: the next start always resumes from a
// whole one, and the run ends where a run ends that was never killed.
#include <chrono>
#include <cstdlib>
#include <random>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/trainer/program.h"
#include "tests/trainer/small_run.h"

namespace lockstep::trainer {
namespace {

// Kills a run again and again, each time a few steps further on, and then lets it end.
void ExpectKillsChangeNothing(int kills, uint64_t seed) {
  constexpr int64_t kStepsBetweenKills = 24;  // far more than a run does before it is killed
  const SmallRun run;
  const int64_t steps = kStepsBetweenKills * (kills + 1);
  const Settings settings = {"checkpoint.every_steps=2", "checkpoint.keep=2",
                             "evaluation.every_steps=3", "training.accumulate_batches=4",
                             "training.steps=" + std::to_string(steps)};
  run.TrainToTheEnd("runs/a", 2, settings);

  std::mt19937_64 random(seed);
  int hits = 0;  // kills that met a run that had not ended
  for (int i = 0; i < kills; ++i) {
    const int64_t reached = run.LastStep("runs/b");
    Program program(run.Train("runs/b", 2, settings));
    program.WaitFor([&] {
      return run.LastStep("runs/b") > reached ||
             program.ErrSoFar().find("complete") != std::string::npos;
    });
    program.LetRun(std::chrono::microseconds(random() % 60'000));
    program.SignalRanks(SIGKILL);
    const Outcome outcome = program.Wait();
    hits += outcome.status != 0 ? 1 : 0;
    EXPECT_TRUE(outcome.Errors().empty()) << outcome.err;
    // "passed over": a checkpoint under its final name was not whole.
    EXPECT_THAT(outcome.err, testing::Not(testing::HasSubstr("passed over")));
  }
  EXPECT_GT(hits, kills / 2) << "the runs ended before they were killed";

  run.TrainToTheEnd("runs/b", 2, settings);
  ExpectSameMetrics(run.Metrics("runs/a"), run.Metrics("runs/b"), steps);
  ExpectSameCheckpoints(run.CheckpointPath("runs/a", steps), run.CheckpointPath("runs/b", steps));
  ExpectSameCheckpoints(run.BestPath("runs/a"), run.BestPath("runs/b"));
  // Nothing half-written is left.
  for (const auto& entry : std::filesystem::recursive_directory_iterator(run / "runs/b")) {
    EXPECT_FALSE(entry.path().string().ends_with(".new")) << entry.path();
  }
}

TEST(KillTest, SixRandomMoments) { ExpectKillsChangeNothing(6, 1); }

// Takes minutes: CTest runs it under the label "slow" only.
TEST(KillTest, FiftyRandomMoments) { ExpectKillsChangeNothing(50, 2); }

}  // namespace
}  // namespace lockstep::trainer
