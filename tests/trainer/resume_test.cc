// A run that was stopped and resumed is, bit for bit, the run that was not; beside what
// promises_test.cc does for every task.
#include <filesystem>
#include <fstream>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/trainer/program.h"
#include "tests/trainer/small_run.h"

namespace lockstep::trainer {
namespace {

using ::testing::HasSubstr;

constexpr int kStopped = 75;
constexpr int64_t kSteps = 60;

enum class To { kLauncher, kRankOne };

// Starts a run, sends a signal once it has done `step` steps, and returns what it said then.
Outcome StopAfter(const SmallRun& run, const Launch& launch, const std::string& name, int64_t step,
                  int signal, To to) {
  Program program(launch);
  program.WaitFor([&] { return run.LastStep(name) >= step; });
  if (to == To::kLauncher) {
    program.Signal(signal);
  } else {
    program.SignalRank(1, signal);
  }
  return program.Wait();
}

void ExpectStopped(const Outcome& outcome) {
  EXPECT_EQ(outcome.status, kStopped) << outcome.err;
  EXPECT_TRUE(outcome.Errors().empty()) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("stopped by signal"));
}

// Stops run "b" after 25 steps and again after 40, then lets it end, and compares with run "a".
void ExpectStopsChangeNothing(const SmallRun& run, int ranks, int signal, To to,
                              const Settings& settings) {
  run.TrainToTheEnd("runs/a", ranks, settings);
  for (const int64_t step : {25, 40}) {
    ExpectStopped(StopAfter(run, run.Train("runs/b", ranks, settings), "runs/b", step, signal, to));
    const int64_t last = run.LastStep("runs/b");
    EXPECT_GE(last, step);
    ASSERT_LT(last, kSteps) << "the signal came too late to test anything";
    EXPECT_TRUE(std::filesystem::exists(run.CheckpointPath("runs/b", last)));
  }
  run.TrainToTheEnd("runs/b", ranks, settings);
  ExpectSameMetrics(run.Metrics("runs/a"), run.Metrics("runs/b"), kSteps);
  ExpectSameCheckpoints(run.CheckpointPath("runs/a", kSteps), run.CheckpointPath("runs/b", kSteps));
  ExpectSameCheckpoints(run.BestPath("runs/a"), run.BestPath("runs/b"));
}

TEST(ResumeTest, StoppedThroughOneRankOfThree) {
  ExpectStopsChangeNothing(SmallRun(), 3, SIGTERM, To::kRankOne, SlowSteps());
}

TEST(ResumeTest, StoppedWithoutALauncher) {
  ExpectStopsChangeNothing(SmallRun(), 0, SIGINT, To::kLauncher, SlowSteps());
}

// Momentum and a learning rate that depends on what the evaluations found.
TEST(ResumeTest, StoppedWithGruAndPlateauSchedule) {
  ExpectStopsChangeNothing(
      SmallRun(), 2, SIGUSR1, To::kLauncher,
      SlowSteps() + Settings{"model.cell=GRU", "optimizer.sgd.momentum=0.9",
                             "optimizer.learning_rate=0.5", "optimizer.schedule.plateau.patience=0",
                             "optimizer.schedule.plateau.threshold=0.2",
                             "evaluation.every_steps=5"});
}

// Settings with which an evaluation takes far longer than a step: one lane's worth of tokens at a
// time, over the training split.
Settings LongEvaluations(int64_t every) {
  return {"data.lanes=4",           "data.time_steps=2",
          "model.hidden_size=128",  "training.steps=60",
          "evaluation.split=train", fmt::format("evaluation.every_steps={}", every)};
}

TEST(ResumeTest, StoppedDuringAnEvaluation) {
  const SmallRun run;
  const Settings settings = LongEvaluations(30);
  run.TrainToTheEnd("runs/a", 2, settings);
  // The line of step 30 comes only when its evaluation is done.
  const Outcome outcome =
      StopAfter(run, run.Train("runs/b", 2, settings), "runs/b", 29, SIGUSR1, To::kLauncher);
  ExpectStopped(outcome);
  ASSERT_EQ(run.LastStep("runs/b"), 30);
  EXPECT_FALSE(run.Metrics("runs/b").back().contains("validation_loss"))
      << "the signal missed the evaluation";
  run.TrainToTheEnd("runs/b", 2, settings);
  ExpectSameMetrics(run.Metrics("runs/a"), run.Metrics("runs/b"), kSteps);
  ExpectSameCheckpoints(run.CheckpointPath("runs/a", kSteps), run.CheckpointPath("runs/b", kSteps));
}

// Batches of the evaluation of this step that its checkpoint holds; 0: it is not under way.
int64_t EvaluationBatch(const SmallRun& run, const std::string& name, int64_t step) {
  const io::Checkpoint checkpoint = io::ReadCheckpoint(run.CheckpointPath(name, step));
  const int64_t batch = checkpoint.header.counters.at("evaluation_batch");
  EXPECT_EQ(checkpoint.Find("evaluation/h") != nullptr, batch > 0);
  EXPECT_EQ(checkpoint.Find("evaluation/c") != nullptr, batch > 0);
  return batch;
}

// Evaluations of thousands of batches.
Settings EndlessEvaluations() {
  return {"data.lanes=3",      "data.time_steps=1",      "model.hidden_size=128",
          "training.steps=60", "evaluation.split=train", "evaluation.every_steps=30"};
}

// Starts the run and stops it in the evaluation of step 30. Returns the batches that are done.
int64_t StopInEvaluation(const SmallRun& run, const std::string& name, int ranks) {
  Program program(run.Train(name, ranks, EndlessEvaluations()));
  // What comes right before the first batch of the first and of each later start.
  const bool first = run.LastStep(name) < 30;
  EXPECT_TRUE(program.WaitFor([&] {
    return first ? std::filesystem::exists(run.CheckpointPath(name, 30))
                 : program.ErrSoFar().find("its evaluation goes on behind") != std::string::npos;
  })) << program.ErrSoFar();
  program.Signal(SIGUSR1);
  ExpectStopped(program.Wait());
  EXPECT_EQ(run.LastStep(name), 30);
  EXPECT_FALSE(run.Metrics(name).back().contains("validation_loss"))
      << "the evaluation is too short for this test";
  return EvaluationBatch(run, name, 30);
}

TEST(ResumeTest, EveryStartGetsFurtherInAnEvaluation) {
  const SmallRun run;
  for (const int ranks : {1, 2}) {
    const std::string never = fmt::format("runs/a{}", ranks),
                      often = fmt::format("runs/b{}", ranks);
    run.TrainToTheEnd(never, ranks, EndlessEvaluations());
    int64_t before = 0;
    for (int stop = 0; stop < 3; ++stop) {
      const int64_t now = StopInEvaluation(run, often, ranks);
      EXPECT_GT(now, before);
      before = now;
    }
    run.TrainToTheEnd(often, ranks, EndlessEvaluations());
    ExpectSameMetrics(run.Metrics(never), run.Metrics(often), kSteps);
    ExpectSameCheckpoints(run.CheckpointPath(never, kSteps), run.CheckpointPath(often, kSteps));
    ExpectSameCheckpoints(run.BestPath(never), run.BestPath(often));
    EXPECT_EQ(EvaluationBatch(run, often, kSteps), 0);
  }
}

TEST(ResumeTest, AnEvaluationGoesOnOnAnotherNumberOfRanks) {
  const SmallRun run;
  const Settings settings = EndlessEvaluations();
  run.TrainToTheEnd("runs/a", 3, settings);
  EXPECT_GT(StopInEvaluation(run, "runs/b", 3), 0);
  const Outcome outcome = RunProgram(run.Train("runs/b", 2, settings));
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("its evaluation goes on behind"));
  ExpectLossesNear(run.Metrics("runs/a"), run.Metrics("runs/b"), kSteps, 1e-4);
}

TEST(ResumeTest, AnEvaluationOfOtherTokensBeginsAnew) {
  const SmallRun run;
  const Settings settings = EndlessEvaluations(), other = {"evaluation.split=validation"};
  run.TrainToTheEnd("runs/a", 2, settings + other);
  EXPECT_GT(StopInEvaluation(run, "runs/b", 2), 0);
  run.TrainToTheEnd("runs/b", 2, settings + other);
  ExpectSameMetrics(run.Metrics("runs/a"), run.Metrics("runs/b"), kSteps);
}

// The checkpoint of a step does not wait for its evaluation, and one that comes due by time in an
// evaluation holds what is done of it: so kill -9 in it loses neither.
TEST(ResumeTest, KilledDuringAnEvaluation) {
  const SmallRun run;
  run.TrainToTheEnd("runs/a", 2, EndlessEvaluations());
  int64_t before = -1;
  for (const char* minutes : {"0", "0.0005", "0.0005"}) {
    Program program(run.Train(
        "runs/b", 2,
        EndlessEvaluations() + Settings{std::string("checkpoint.every_minutes=") + minutes}));
    EXPECT_TRUE(program.WaitFor([&] {
      return std::filesystem::exists(run.CheckpointPath("runs/b", 30)) &&
             EvaluationBatch(run, "runs/b", 30) > before;
    })) << program.ErrSoFar();
    if (minutes != std::string("0")) {  // again and again
      before = EvaluationBatch(run, "runs/b", 30);
      EXPECT_TRUE(program.WaitFor([&] { return EvaluationBatch(run, "runs/b", 30) > before; }));
    }
    program.SignalRanks(SIGKILL);
    EXPECT_NE(program.Wait().status, 0);
    EXPECT_EQ(run.LastStep("runs/b"), 29) << "its line comes when it is evaluated";
    const io::Checkpoint checkpoint = io::ReadCheckpoint(run.CheckpointPath("runs/b", 30));
    EXPECT_EQ(checkpoint.header.counters.at("evaluated_step"), 0);
    before = EvaluationBatch(run, "runs/b", 30);
  }
  EXPECT_GT(before, 0);
  run.TrainToTheEnd("runs/b", 2, EndlessEvaluations());
  ExpectSameMetrics(run.Metrics("runs/a"), run.Metrics("runs/b"), kSteps);
  ExpectSameCheckpoints(run.CheckpointPath("runs/a", kSteps), run.CheckpointPath("runs/b", kSteps));
}

// The best and the last step are one file, where their contents are the same.
TEST(ResumeTest, TheSameCheckpointIsNotWrittenTwice) {
  const SmallRun run;
  for (const char* every : {"checkpoint.every_steps=10", "checkpoint.every_steps=0"}) {
    const std::string name = std::string("runs/") + every;
    run.TrainToTheEnd(name, 2, {every});
    ASSERT_EQ(io::ReadCheckpoint(run.BestPath(name)).header.step, 60) << "the last is the best";
    EXPECT_TRUE(std::filesystem::equivalent(run.BestPath(name), run.CheckpointPath(name, 60)));
    EXPECT_EQ(io::ReadCheckpoint(run.CheckpointPath(name, 60)).header.counters.at("evaluated_step"),
              60);
  }
}

TEST(ResumeTest, StoppedDuringTheLastEvaluation) {
  const SmallRun run;
  const Settings settings = LongEvaluations(0);
  run.TrainToTheEnd("runs/a", 2, settings);
  ExpectStopped(
      StopAfter(run, run.Train("runs/b", 2, settings), "runs/b", 59, SIGUSR1, To::kLauncher));
  EXPECT_FALSE(run.Metrics("runs/b").back().contains("validation_loss"))
      << "the signal missed the evaluation";
  run.TrainToTheEnd("runs/b", 2, settings);
  ExpectSameMetrics(run.Metrics("runs/a"), run.Metrics("runs/b"), kSteps);
  ExpectSameCheckpoints(run.CheckpointPath("runs/a", kSteps), run.CheckpointPath("runs/b", kSteps));
  ExpectSameCheckpoints(run.BestPath("runs/a"), run.BestPath("runs/b"));
  // Now it is complete, for good.
  const Outcome again = RunProgram(run.Train("runs/b", 2, settings));
  EXPECT_THAT(again.err, HasSubstr("this run is complete"));
}

TEST(ResumeTest, ACompleteRunSaysSoAndGoesOnWithMoreSteps) {
  const SmallRun run;
  const Settings constant = {"optimizer.schedule.constant={}"};
  run.TrainToTheEnd("runs/a", 2, constant + Settings{"training.steps=90"});
  run.TrainToTheEnd("runs/b", 2, constant);
  const auto before = run.Metrics("runs/b");
  const Outcome again = RunProgram(run.Train("runs/b", 2, constant));
  EXPECT_EQ(again.status, 0) << again.err;
  EXPECT_THAT(again.err, HasSubstr("this run is complete (60 steps)"));
  ExpectSameMetrics(before, run.Metrics("runs/b"), 60);
  run.TrainToTheEnd("runs/b", 2, constant + Settings{"training.steps=90"});
  ExpectLossesNear(run.Metrics("runs/a"), run.Metrics("runs/b"), 90, 0.0);
  ExpectSameCheckpoints(run.CheckpointPath("runs/a", 90), run.CheckpointPath("runs/b", 90));
}

TEST(ResumeTest, MoreEpochsGoOn) {
  const SmallRun run;
  // 60 steps an epoch or so: two epochs, then a third.
  const auto epochs = [](int count) {
    return Settings{"optimizer.schedule.constant={}", fmt::format("training.epochs={}", count)};
  };
  run.TrainToTheEnd("runs/a", 0, epochs(2));
  const int64_t two = run.LastStep("runs/a");
  run.TrainToTheEnd("runs/a", 0, epochs(3));
  const auto metrics = run.Metrics("runs/a");
  EXPECT_EQ(2 * std::ssize(metrics), 3 * two);
  EXPECT_EQ(metrics[two - 1].at("epoch"), 2);
  EXPECT_EQ(metrics[two].at("epoch"), 3);
}

TEST(ResumeTest, NeverSetsTheOlderRunAsideAndLosesNothing) {
  const SmallRun run;
  run.TrainToTheEnd("runs/a");
  const auto first = run.Metrics("runs/a");
  for (const int number : {1, 2}) {
    Launch launch = run.Train("runs/a", 2, {"training.steps=20"});
    launch.arguments.insert(launch.arguments.end(), {"--resume", "never"});
    const Outcome outcome = RunProgram(launch);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_EQ(run.Metrics("runs/a").size(), 20u);
    EXPECT_TRUE(std::filesystem::exists(run.CheckpointPath("runs/a", 20)));
    EXPECT_FALSE(std::filesystem::exists(run.CheckpointPath("runs/a", 60)));
    EXPECT_TRUE(std::filesystem::exists(run / fmt::format("runs/a/checkpoints.{}", number)));
    EXPECT_TRUE(std::filesystem::exists(run / fmt::format("runs/a/metrics.jsonl.{}", number)));
    EXPECT_TRUE(std::filesystem::exists(run / fmt::format("runs/a/config.textproto.{}", number)));
  }
  // The first run, whole, under its new name.
  std::filesystem::create_directories(run / "runs/old");
  std::filesystem::rename(run / "runs/a/checkpoints.1", run / "runs/old/checkpoints");
  std::filesystem::rename(run / "runs/a/metrics.jsonl.1", run / "runs/old/metrics.jsonl");
  ExpectSameMetrics(first, run.Metrics("runs/old"), kSteps);
  const Outcome outcome = RunProgram(run.Train("runs/old"));
  EXPECT_THAT(outcome.err, HasSubstr("this run is complete (60 steps)"));
}

TEST(ResumeTest, GoesOnFromAFile) {
  const SmallRun run;
  const Settings keep = {"checkpoint.keep=100"};
  run.TrainToTheEnd("runs/a", 0, keep);
  const auto from = [&](const std::string& name, const std::filesystem::path& file) {
    Launch launch = run.Train(name, 0, keep);
    launch.arguments.insert(launch.arguments.end(), {"--resume", file});
    return RunProgram(launch);
  };
  // Into a new folder, and into the one that holds the file.
  const Outcome elsewhere = from("runs/b", run.CheckpointPath("runs/a", 30));
  ASSERT_EQ(elsewhere.status, 0) << elsewhere.err;
  const Outcome here = from("runs/a", run.CheckpointPath("runs/a", 40));
  ASSERT_EQ(here.status, 0) << here.err;
  EXPECT_TRUE(std::filesystem::exists(run / "runs/a/checkpoints.1"));
  const io::Checkpoint first =
      io::ReadCheckpoint(run / "runs/a/checkpoints.1/step-000000000060.h5");
  for (const char* name : {"runs/a", "runs/b"}) {
    const io::Checkpoint other = io::ReadCheckpoint(run.CheckpointPath(name, 60));
    EXPECT_EQ(first.Find("parameters/rnn.weight_hh_l0")->values,
              other.Find("parameters/rnn.weight_hh_l0")->values);
    // What the end of the run names as the best is there.
    EXPECT_TRUE(std::filesystem::exists(run.BestPath(name)));
  }
  EXPECT_EQ(run.Metrics("runs/b").size(), 31u) << "steps 30 to 60";
}

// A stop does not wait for all the batches of an update: what was done of it is thrown away.
TEST(ResumeTest, StoppedBetweenTheBatchesOfAStep) {
  // Updates of 256 batches and, at the end of an epoch, of the rest.
  const Settings settings = {"training.accumulate_batches=256", "training.steps=4", "data.lanes=2",
                             "model.hidden_size=192", "checkpoint.every_steps=0"};
  const SmallRun run;
  for (const int ranks : {0, 2}) {
    const std::string never = fmt::format("runs/a{}", ranks),
                      stopped = fmt::format("runs/b{}", ranks);
    run.TrainToTheEnd(never, ranks, settings);
    const Outcome outcome =
        StopAfter(run, run.Train(stopped, ranks, settings), stopped, 2, SIGUSR1, To::kLauncher);
    ExpectStopped(outcome);
    const std::string said = "stopped in step 3 behind ";
    const size_t at = outcome.err.find(said);
    ASSERT_NE(at, std::string::npos) << outcome.err;
    EXPECT_LT(std::stoi(outcome.err.substr(at + said.size())), 64) << outcome.err;
    EXPECT_EQ(run.LastStep(stopped), 2);
    run.TrainToTheEnd(stopped, ranks, settings);
    ExpectSameMetrics(run.Metrics(never), run.Metrics(stopped), 4);
    ExpectSameCheckpoints(run.CheckpointPath(never, 4), run.CheckpointPath(stopped, 4));
  }
}

// Stopped where the last checkpoint of --resume FILE is newer than the file: the same command would
// begin again.
TEST(ResumeTest, AStoppedRunFromAFileSaysHowToGoOn) {
  const SmallRun run;
  run.TrainToTheEnd("runs/a", 0, SlowSteps() + Settings{"checkpoint.keep=100"});
  Launch launch = run.Train("runs/b", 0, SlowSteps());
  launch.arguments.insert(launch.arguments.end(), {"--resume", run.CheckpointPath("runs/a", 10)});
  const Outcome outcome = StopAfter(run, launch, "runs/b", 20, SIGTERM, To::kLauncher);
  ExpectStopped(outcome);
  EXPECT_THAT(outcome.err, HasSubstr("without --resume"));
  run.TrainToTheEnd("runs/b", 0, SlowSteps());
  ExpectSameCheckpoints(run.CheckpointPath("runs/a", kSteps), run.CheckpointPath("runs/b", kSteps));
}

}  // namespace
}  // namespace lockstep::trainer
