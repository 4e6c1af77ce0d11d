// What the program promises, for every task.
#include <algorithm>
#include <cmath>
#include <filesystem>
#include <fstream>
#include <random>
#include <set>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "proto/run_config.h"
#include "tests/trainer/program.h"
#include "tests/trainer/small_run.h"
#include "tests/trainer/task_cases.h"

namespace lockstep::trainer {
namespace {

using ::testing::HasSubstr;

constexpr int kStopped = 75, kWrongInput = 2;
constexpr int64_t kSteps = 60;
// Sums over lanes are taken in another order: a difference of about 1e-9 in the first losses, which
// training lets grow, the faster the higher its rate and where a loss or an activation has kinks.
constexpr double kTolerance = 1e-4;
// What ranks sum in another order may round to another number as a product's operand: 3e-5 after
// some ten steps, and more where a loss has kinks.
constexpr double kBf16Tolerance = 5e-4;

TEST(TaskCasesTest, EveryTaskOfTheSchemaIsAmongThem) {
  std::set<std::string> tested, there;
  for (const TaskCase& one : AllTaskCases()) tested.insert(one.task);
  const auto* kinds = proto::Task::descriptor()->FindOneofByName("kind");
  for (int i = 0; i < kinds->field_count(); ++i) there.insert(std::string(kinds->field(i)->name()));
  EXPECT_EQ(tested, there);
}

class PromisesTest : public testing::TestWithParam<TaskCase> {
 protected:
  nlohmann::json Evaluate(const std::string& checkpoint, const std::string& split, int ranks,
                          const std::string& dataset = "corpus.h5") {
    const Outcome outcome = RunProgram(run_.Command(
        {"evaluate", checkpoint, "--json", "--split", split, "--data", dataset}, ranks));
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return nlohmann::json::parse(outcome.out);
  }

  // Starts a run and stops it once it has done `step` steps.
  void StopAfter(const std::string& name, int ranks, int64_t step, const Settings& settings) {
    Program program(run_.Train(name, ranks, settings));
    program.WaitFor([&] { return run_.LastStep(name) >= step; });
    program.Signal(SIGUSR1);
    const Outcome outcome = program.Wait();
    EXPECT_EQ(outcome.status, kStopped) << outcome.err;
    EXPECT_THAT(outcome.err, HasSubstr("stopped by signal"));
    ASSERT_LT(run_.LastStep(name), kSteps) << "the signal came too late to test anything";
  }

  const SmallRun run_{GetParam()};
};

// 10 lanes: 3, 3, 4 lanes on 3 ranks and 2, 3, 2, 3 on 4. Two epochs, so a short last batch, too.
TEST_P(PromisesTest, TheSameLossesOnAnyNumberOfRanks) {
  const Settings settings = {"training.steps=100", "evaluation.every_steps=25", "model.dropout=0.3",
                             "optimizer.learning_rate=0.004"};
  run_.TrainToTheEnd("runs/1", 1, settings);
  const auto expected = run_.Metrics("runs/1");
  for (const int ranks : {2, 3, 4}) {
    const std::string name = fmt::format("runs/{}", ranks);
    run_.TrainToTheEnd(name, ranks, settings);
    SCOPED_TRACE(name);
    ExpectLossesNear(expected, run_.Metrics(name), 100, kTolerance);
  }
  // It must have learnt something, or agreeing would mean little.
  EXPECT_GE(expected.back().at("epoch").get<int>(), 2);
  EXPECT_LT(expected.back().at("validation_loss").get<double>(),
            0.95 * expected[24].at("validation_loss").get<double>() + 0.05);
}

TEST_P(PromisesTest, StopsChangeNothing) {
  run_.TrainToTheEnd("runs/a", 2, SlowSteps());
  for (const int64_t step : {25, 40}) StopAfter("runs/b", 2, step, SlowSteps());
  run_.TrainToTheEnd("runs/b", 2, SlowSteps());
  ExpectSameMetrics(run_.Metrics("runs/a"), run_.Metrics("runs/b"), kSteps);
  ExpectSameCheckpoints(run_.CheckpointPath("runs/a", kSteps),
                        run_.CheckpointPath("runs/b", kSteps));
  ExpectSameCheckpoints(run_.BestPath("runs/a"), run_.BestPath("runs/b"));
}

TEST_P(PromisesTest, ARunGoesOnOnAnotherNumberOfRanks) {
  run_.TrainToTheEnd("runs/a", 4, SlowSteps());
  StopAfter("runs/b", 4, 25, SlowSteps());
  run_.TrainToTheEnd("runs/b", 2, SlowSteps());
  ExpectLossesNear(run_.Metrics("runs/a"), run_.Metrics("runs/b"), kSteps, kTolerance);
}

TEST_P(PromisesTest, AnEvaluationGoesOnWhereItWasStopped) {
  const Settings settings =
      GetParam().slow_evaluation + Settings{"training.steps=12", "checkpoint.every_steps=1",
                                            "checkpoint.every_minutes=0.0005",
                                            "evaluation.split=train", "evaluation.every_steps=6"};
  run_.TrainToTheEnd("runs/a", 2, settings);
  // A signal may come before the evaluation or, on a fast machine, behind it.
  std::string name;
  int status = 0;
  int64_t evaluated = 0;
  for (int i = 0; i < 10 && evaluated == 0; ++i) {
    name = fmt::format("runs/b{}", i);
    Program program(run_.Train(name, 2, settings));
    EXPECT_TRUE(program.WaitFor([&] {
      return std::filesystem::exists(run_.CheckpointPath(name, 6));
    })) << program.ErrSoFar();
    program.Signal(SIGUSR1);
    status = program.Wait().status;
    EXPECT_TRUE(status == kStopped || status == 0) << status;
    if (run_.LastStep(name) != 6) continue;
    const auto counters = io::ReadCheckpoint(run_.CheckpointPath(name, 6)).header.counters;
    evaluated = counters.at("evaluation_batch");
  }
  ASSERT_GT(evaluated, 0) << "the evaluation is too short for this test";
  EXPECT_EQ(status, kStopped);
  const Outcome outcome = RunProgram(run_.Train(name, 2, settings));
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("its evaluation goes on behind"));
  ExpectSameMetrics(run_.Metrics("runs/a"), run_.Metrics(name), 12);
  ExpectSameCheckpoints(run_.CheckpointPath("runs/a", 12), run_.CheckpointPath(name, 12));
}

TEST_P(PromisesTest, HoldInBf16) {
  const Settings settings = {"optimizer.schedule.constant={}", "optimizer.learning_rate=0.001",
                             "evaluation.every_steps=15", "evaluation.most_tokens=0",
                             "training.steps=30"};
  const Settings bf16 = settings + Settings{"model.precision=BF16"};
  run_.TrainToTheEnd("runs/float", 1, settings + Settings{"training.steps=1"});
  for (const int ranks : {1, 2, 3}) run_.TrainToTheEnd(fmt::format("runs/{}", ranks), ranks, bf16);
  const auto alone = run_.Metrics("runs/1"), two = run_.Metrics("runs/2");
  ExpectLossesNear(alone, two, 30, kBf16Tolerance);
  ExpectLossesNear(alone, run_.Metrics("runs/3"), 30, kBf16Tolerance);
  const auto exact = run_.Metrics("runs/float").front().at("loss").get<double>();
  EXPECT_NEAR(alone.front().at("loss").get<double>(), exact, 0.01 * std::max(0.1, std::abs(exact)));
  EXPECT_NE(alone.front().at("loss"), exact);

  run_.TrainToTheEnd("runs/a", 2, bf16 + Settings{"training.steps=15"});
  run_.TrainToTheEnd("runs/a", 2, bf16);
  ExpectSameMetrics(two, run_.Metrics("runs/a"), 30);
  const std::string checkpoint = run_.CheckpointPath("runs/2", 30);
  ExpectSameCheckpoints(checkpoint, run_.CheckpointPath("runs/a", 30));
  EXPECT_EQ(Evaluate(checkpoint, "validation", 2).at("loss"), two.back().at("validation_loss"));

  // And back to float32, as a run may.
  run_.TrainToTheEnd("runs/a", 2, settings + Settings{"training.steps=35"});
  EXPECT_EQ(run_.LastStep("runs/a"), 35);
}

TEST_P(PromisesTest, ItsStepsCanBePlanned) {
  const Outcome outcome = RunProgram(run_.Command({"plan", "run.textproto", "--json"}, 2));
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_GT(nlohmann::json::parse(outcome.out)["rows"].size(), 1u);
}

TEST_P(PromisesTest, KillsChangeNothing) {
  constexpr int kKills = 2;
  const int64_t steps = 24 * (kKills + 1);
  const Settings settings = {"checkpoint.every_steps=2", "checkpoint.keep=2",
                             "evaluation.every_steps=3", "training.accumulate_batches=4",
                             "training.steps=" + std::to_string(steps)};
  run_.TrainToTheEnd("runs/a", 2, settings);
  std::mt19937_64 random(3);
  int hits = 0;  // kills that met a run that had not ended
  for (int i = 0; i < kKills; ++i) {
    const int64_t reached = run_.LastStep("runs/b");
    Program program(run_.Train("runs/b", 2, settings));
    program.WaitFor([&] {
      return run_.LastStep("runs/b") > reached ||
             program.ErrSoFar().find("complete") != std::string::npos;
    });
    program.LetRun(std::chrono::microseconds(random() % 60'000));
    program.SignalRanks(SIGKILL);
    const Outcome outcome = program.Wait();
    hits += outcome.status != 0 ? 1 : 0;
    EXPECT_THAT(outcome.err, testing::Not(HasSubstr("passed over")));
  }
  EXPECT_GT(hits, 0) << "the runs ended before they were killed";
  run_.TrainToTheEnd("runs/b", 2, settings);
  ExpectSameMetrics(run_.Metrics("runs/a"), run_.Metrics("runs/b"), steps);
  ExpectSameCheckpoints(run_.CheckpointPath("runs/a", steps), run_.CheckpointPath("runs/b", steps));
}

TEST_P(PromisesTest, EvaluationIsThatOfTheTrainingAndTheSameOnAnyNumberOfRanks) {
  run_.TrainToTheEnd("runs/a", 2, {"evaluation.most_tokens=0"});
  const std::string checkpoint = run_.CheckpointPath("runs/a", kSteps);
  const auto validation = Evaluate(checkpoint, "validation", 2);
  if (validation.contains("weights")) {  // of averages
    const Outcome trained = RunProgram(run_.Command(
        {"evaluate", checkpoint, "--json", "--split", "validation", "--trained-weights"}, 2));
    EXPECT_EQ(nlohmann::json::parse(trained.out).at("weights"), "trained");
    EXPECT_NE(nlohmann::json::parse(trained.out).at("loss"), validation.at("loss"));
  }
  EXPECT_EQ(validation.at("loss"), run_.Metrics("runs/a").back().at("validation_loss"));
  for (const char* split : {"train", "validation", "test"}) {
    const auto one = Evaluate(checkpoint, split, 1), three = Evaluate(checkpoint, split, 3);
    const auto flat_one = one.flatten(), flat_three = three.flatten();
    EXPECT_EQ(flat_one.size(), flat_three.size());
    for (const auto& [key, value] : flat_one.items()) {
      if (!value.is_number_float()) {
        EXPECT_EQ(value, flat_three.at(key)) << key;
        continue;
      }
      const double expected = value.get<double>();
      EXPECT_NEAR(flat_three.at(key).get<double>(), expected,
                  1e-5 * std::max(1e-3, std::abs(expected)))
          << split << key;
    }
  }

  // Another import of the same, that takes over what numbers mean.
  if (GetParam().task == "forecast") return;  // series have no vocabulary
  const Outcome outcome = run_.Import(GetParam().source, "again.h5",
                                      {"--vocabulary-from", checkpoint}, GetParam().import);
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(Evaluate(checkpoint, "validation", 2, "again.h5").at("loss"), validation.at("loss"));
}

void FlipBit(const std::filesystem::path& path) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  const auto middle = static_cast<std::streamoff>(std::filesystem::file_size(path) / 2);
  file.seekg(middle);
  const char byte = static_cast<char>(file.get() ^ 4);
  file.seekp(middle);
  file.put(byte);
}

TEST_P(PromisesTest, DamageIsFound) {
  const Settings half = {"training.steps=30", "optimizer.schedule.constant={}",
                         "evaluation.every_steps=0"};
  const Settings whole = {"training.steps=40", "optimizer.schedule.constant={}",
                          "evaluation.every_steps=0"};
  run_.TrainToTheEnd("runs/never", 2, whole);
  run_.TrainToTheEnd("runs/a", 2, half);
  const std::string last = run_.CheckpointPath("runs/a", 30);
  FlipBit(last);
  for (const std::string& command : {std::string("evaluate"), GetParam().prediction_command}) {
    ExpectOneError(RunProgram(run_.Command({command, last}, 2)), kWrongInput,
                   {"step-000000000030.h5", "damaged"});
  }
  const Outcome outcome = RunProgram(run_.Train("runs/a", 2, whole));
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("passed over runs/a/checkpoints/step-000000000030.h5"));
  EXPECT_THAT(outcome.err, HasSubstr("going on from runs/a/checkpoints/step-000000000020.h5"));
  ExpectLossesNear(run_.Metrics("runs/never"), run_.Metrics("runs/a"), 40, kTolerance);

  FlipBit(run_ / "corpus.h5");
  const Outcome inspected = RunProgram(run_.Command({"inspect", "corpus.h5", "--json"}));
  EXPECT_EQ(inspected.status, kWrongInput);
  EXPECT_EQ(nlohmann::json::parse(inspected.out).at("whole"), false);
}

// What a cell carries from batch to batch, cut over ranks, written and read again.
class EveryCellTest : public testing::TestWithParam<std::string> {};

TEST_P(EveryCellTest, IsTheSameOnAnyNumberOfRanksAndAfterAStop) {
  const SmallRun run;
  // An LSTM with peepholes also has a projection, so that h and c are not of one size.
  const bool projects = GetParam() == "LSTM_PEEPHOLE";
  const Settings settings = {
      "model.cell=" + GetParam(),       fmt::format("model.projection_size={}", projects ? 10 : 0),
      "optimizer.schedule.constant={}", "optimizer.learning_rate=0.004",
      "evaluation.every_steps=15",      "training.steps=30"};
  for (const int ranks : {1, 2, 3}) {
    run.TrainToTheEnd(fmt::format("runs/{}", ranks), ranks, settings);
  }
  ExpectLossesNear(run.Metrics("runs/1"), run.Metrics("runs/2"), 30, kTolerance);
  ExpectLossesNear(run.Metrics("runs/1"), run.Metrics("runs/3"), 30, kTolerance);
  run.TrainToTheEnd("runs/a", 2, settings + Settings{"training.steps=15"});
  run.TrainToTheEnd("runs/a", 2, settings);
  ExpectSameMetrics(run.Metrics("runs/2"), run.Metrics("runs/a"), 30);
  ExpectSameCheckpoints(run.CheckpointPath("runs/2", 30), run.CheckpointPath("runs/a", 30));
}

std::vector<std::string> AllCellsOfTheSchema() {
  std::vector<std::string> names;
  for (int i = 0; i < proto::Cell_descriptor()->value_count(); ++i) {
    names.emplace_back(proto::Cell_descriptor()->value(i)->name());
  }
  return names;
}

INSTANTIATE_TEST_SUITE_P(Cells, EveryCellTest, testing::ValuesIn(AllCellsOfTheSchema()),
                         [](const auto& one) { return one.param; });

INSTANTIATE_TEST_SUITE_P(Tasks, PromisesTest, testing::ValuesIn(AllTaskCases()),
                         [](const auto& one) { return one.param.name; });

}  // namespace
}  // namespace lockstep::trainer
