// Training that diverges, a rank that dies, a rank that stops: no hang, and the last good
// checkpoint stays.
#include <algorithm>
#include <chrono>
#include <cmath>
#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/trainer/program.h"
#include "tests/trainer/small_run.h"

namespace lockstep::trainer {
namespace {

using ::testing::HasSubstr;

constexpr int kDiverged = 3;

TEST(FaultsTest, DivergenceKeepsTheLastGoodCheckpoint) {
  const SmallRun run;
  const Settings sane = {"optimizer.sgd={}", "optimizer.clip.none={}",
                         "optimizer.schedule.constant={}", "training.steps=20"};
  run.TrainToTheEnd("runs/a", 0, sane);
  const Settings wild = sane + Settings{"training.steps=60", "optimizer.learning_rate=1e38"};
  ExpectOneError(RunProgram(run.Train("runs/a", 2, wild)), kDiverged,
                 {"diverged", "loss is", "at step 2", "runs/a/checkpoints/step-000000000020.h5",
                  "optimizer.learning_rate"});
  EXPECT_EQ(io::ReadCheckpoint(run.CheckpointPath("runs/a", 20)).header.step, 20);
  // With the rate set back it goes on from there.
  run.TrainToTheEnd("runs/a", 0, sane + Settings{"training.steps=60"});
  run.TrainToTheEnd("runs/never", 0, sane + Settings{"training.steps=60"});
  ExpectSameCheckpoints(run.CheckpointPath("runs/never", 60), run.CheckpointPath("runs/a", 60));
}

TEST(FaultsTest, DivergenceBeforeTheFirstCheckpoint) {
  const SmallRun run;
  ExpectOneError(RunProgram(run.Train("runs/a", 2,
                                      {"optimizer.sgd={}", "optimizer.clip.none={}",
                                       "optimizer.learning_rate=1e38"})),
                 kDiverged, {"diverged", "no checkpoint yet"});
}

// The update that ruins the parameters comes right before a checkpoint; no loss has shown it yet.
TEST(FaultsTest, ParametersThatAreNotFiniteAreNeverSaved) {
  const SmallRun run;
  ExpectOneError(
      RunProgram(
          run.Train("runs/a", 2,
                    {"optimizer.sgd={}", "optimizer.clip.none={}", "optimizer.schedule.constant={}",
                     "optimizer.learning_rate=1e300", "checkpoint.every_steps=1"})),
      kDiverged, {"diverged", "not finite", "after step 1", "no checkpoint yet"});
  EXPECT_FALSE(std::filesystem::exists(run.CheckpointPath("runs/a", 1)));
}

// All numbers stay finite, and the loss is of no use.
TEST(FaultsTest, ALossThatStaysHopelessEndsTheRun) {
  const SmallRun run;
  ExpectOneError(RunProgram(run.Train("runs/a", 2, {"optimizer.learning_rate=1e6"})), kDiverged,
                 {"diverged", "has been above", "for 50 steps", "no checkpoint yet"});
  EXPECT_EQ(run.Metrics("runs/a").back().at("step"), 50) << "the last of them has no line";
  EXPECT_FALSE(std::filesystem::exists(run.BestPath("runs/a")));
  EXPECT_FALSE(std::filesystem::exists(run.CheckpointPath("runs/a", 50)));
  // A run that is shorter than that.
  ExpectOneError(
      RunProgram(run.Train("runs/b", 0, {"optimizer.learning_rate=1e6", "training.steps=20"})),
      kDiverged, {"diverged", "for 19 steps"});
}

TEST(FaultsTest, ARunThatEndsHopelessKeepsTheLastGoodCheckpoint) {
  const SmallRun run;
  const Settings constant = {"optimizer.schedule.constant={}"};
  run.TrainToTheEnd("runs/a", 0, constant + Settings{"training.steps=20"});
  ExpectOneError(
      RunProgram(run.Train("runs/a", 2,
                           constant + Settings{"training.steps=60", "optimizer.learning_rate=1e6",
                                               "checkpoint.keep=1"})),
      kDiverged,
      {"diverged", "in the last", "of the run",
       "The last good checkpoint is runs/a/checkpoints/step-000000000020.h5. "});
  ExpectSameCheckpoints(run.CheckpointPath("runs/a", 20), run.BestPath("runs/a"));
  EXPECT_EQ(io::ReadCheckpoint(run.BestPath("runs/a")).header.step, 20);
}

// A stop saves where it stands, even there; what was good is still named.
TEST(FaultsTest, AStopInADivergingRunDoesNotHideIt) {
  const SmallRun run;
  const Settings wild = SlowSteps() + Settings{"optimizer.schedule.constant={}",
                                               "training.steps=20", "checkpoint.keep=1"};
  run.TrainToTheEnd("runs/a", 0, wild);
  const Settings wilder = wild + Settings{"training.steps=90", "optimizer.learning_rate=1e6"};
  Program program(run.Train("runs/a", 2, wilder));
  ASSERT_TRUE(program.WaitFor([&] { return run.LastStep("runs/a") >= 35; })) << program.ErrSoFar();
  program.Signal(SIGUSR1);
  EXPECT_EQ(program.Wait().status, 75);
  EXPECT_LT(run.LastStep("runs/a"), 71) << "it came too late to test anything";
  ExpectOneError(
      RunProgram(run.Train("runs/a", 2, wilder)), kDiverged,
      {"diverged", "for 50 steps", "runs/a/checkpoints/step-000000000020.h5", "--resume"});
  EXPECT_EQ(io::ReadCheckpoint(run.CheckpointPath("runs/a", 20)).header.step, 20);
}

// A model that has learnt that the text is all a, and then it is all b.
TEST(FaultsTest, AShortSpikeOfTheLossIsNotDivergence) {
  const SmallRun run;
  const Outcome import = run.Import(std::string(2000, 'a') + std::string(2000, 'b'), "corpus.h5",
                                    {"--split", "90,10"});
  ASSERT_EQ(import.status, 0) << import.err;
  run.TrainToTheEnd("runs/a", 0,
                    {"data.lanes=1", "training.steps=250", "optimizer.schedule.constant={}",
                     "optimizer.learning_rate=0.03", "model.dropout=0"});
  const auto metrics = run.Metrics("runs/a");
  const double limit = 2 * std::max(std::log(2.0), metrics[0].at("loss").get<double>()) + 1;
  int hopeless = 0;
  for (const auto& line : metrics) hopeless += line.at("loss").get<double>() > limit ? 1 : 0;
  EXPECT_GT(hopeless, 0) << "there was no spike";
  EXPECT_LT(hopeless, 50);
}

TEST(FaultsTest, ARankThatDiesEndsTheJobAndTheNextStartGoesOn) {
  const SmallRun run;
  run.TrainToTheEnd("runs/never", 3, SlowSteps());
  for (const int rank : {1, 0}) {
    Program program(run.Train("runs/a", 3, SlowSteps()));
    const int64_t reached = run.LastStep("runs/a");
    EXPECT_TRUE(program.WaitFor([&] { return run.LastStep("runs/a") >= reached + 15; }));
    program.SignalRank(rank, SIGKILL);
    EXPECT_NE(program.Wait().status, 0);
  }
  EXPECT_LT(run.LastStep("runs/a"), 60) << "the ranks were killed too late to test anything";
  const Outcome outcome = RunProgram(run.Train("runs/a", 3, SlowSteps()));
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("going on from"));
  ExpectSameMetrics(run.Metrics("runs/never"), run.Metrics("runs/a"), 60);
  ExpectSameCheckpoints(run.CheckpointPath("runs/never", 60), run.CheckpointPath("runs/a", 60));
}

TEST(FaultsTest, ARankThatStopsEndsTheJobWithAMessage) {
  const SmallRun run;
  // 6 s: long enough for a busy machine, short enough to wait for.
  const Settings settings = SlowSteps() + Settings{"training.timeout_minutes=0.1"};
  Program program(run.Train("runs/a", 3, settings));
  ASSERT_TRUE(program.WaitFor([&] { return run.LastStep("runs/a") >= 15; }));
  program.SignalRank(1, SIGSTOP);
  const Outcome outcome = program.Wait();
  EXPECT_NE(outcome.status, 0);
  ASSERT_FALSE(outcome.Errors().empty()) << outcome.err;
  for (const char* part : {"waited 6 s", "training.timeout_minutes", "start the job again"}) {
    EXPECT_THAT(outcome.Errors()[0], HasSubstr(part));
  }
  EXPECT_LT(run.LastStep("runs/a"), 60);
  // The folder is free again, and the run goes on.
  run.TrainToTheEnd("runs/a", 3, SlowSteps());
}

// A launcher that does not answer cannot end the job: the ranks must end themselves.
TEST(FaultsTest, ARankThatGivesUpBesideAStoppedLauncherCanBeEnded) {
  constexpr uint64_t kRestBytes = 200'000;  // of the dataset; the validation split lies behind
  const SmallRun run;
  ASSERT_EQ(run.Import(EnglishLikeText(600'000), "big.h5").status, 0);
  Launch launch = run.Train("runs/a", 2, SlowSteps() + Settings{"data.path=big.h5"});
  launch.limit_seconds = 60;
  Program program(launch);
  ASSERT_TRUE(program.WaitFor([&] { return run.LastStep("runs/a") >= 3; }));
  program.Signal(SIGSTOP);
  std::filesystem::resize_file(run / "big.h5", kRestBytes);
  program.LetRun(std::chrono::seconds(5));
  ASSERT_EQ(run.LastStep("runs/a"), 9) << "the evaluation of step 10 should have failed";
  ASSERT_EQ(program.Ranks().size(), 2u) << "MPI_Abort returned; there is nothing to test";
  program.SignalRanks(SIGTERM);
  EXPECT_TRUE(program.WaitFor([&] { return program.Ranks().empty(); }));
  program.Signal(SIGCONT);
  EXPECT_NE(program.Wait().status, 0);
}

// As with `scontrol suspend`: not at the same instant, and longer than a rank may wait.
TEST(FaultsTest, AJobThatWasSuspendedForLongerThanTheTimeoutGoesOn) {
  constexpr auto kApart = std::chrono::seconds(1);
  constexpr auto kLongerThanTheTimeout = std::chrono::seconds(8);
  const SmallRun run;
  const Settings settings = SlowSteps() + Settings{"training.timeout_minutes=0.1"};
  run.TrainToTheEnd("runs/never", 2, settings);
  Program program(run.Train("runs/a", 2, settings));
  ASSERT_TRUE(program.WaitFor([&] { return run.LastStep("runs/a") >= 15; }));
  program.SignalRank(1, SIGSTOP);
  program.LetRun(kApart);  // by now rank 0 waits for rank 1
  program.SignalRank(0, SIGSTOP);
  program.LetRun(kLongerThanTheTimeout);
  program.SignalRank(0, SIGCONT);
  program.LetRun(kApart);
  EXPECT_LT(run.LastStep("runs/a"), 60) << "the ranks were stopped too late to test anything";
  program.SignalRank(1, SIGCONT);
  const Outcome outcome = program.Wait();
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  ExpectSameMetrics(run.Metrics("runs/never"), run.Metrics("runs/a"), 60);
  ExpectSameCheckpoints(run.CheckpointPath("runs/never", 60), run.CheckpointPath("runs/a", 60));
}

}  // namespace
}  // namespace lockstep::trainer
