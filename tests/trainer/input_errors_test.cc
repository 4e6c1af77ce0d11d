// What a user can get wrong: one message that says what, where and what to do, exit status 2, and
// nothing lost.
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "io/run/run_folder.h"
#include "tests/trainer/program.h"
#include "tests/trainer/small_run.h"

namespace lockstep::trainer {
namespace {

constexpr int kWrongInput = 2;

// A run of 20 steps in runs/a that each test then tries to go on with, wrongly, on 2 ranks.
class WrongResumeTest : public testing::Test {
 protected:
  WrongResumeTest() { run_.TrainToTheEnd("runs/a", 0, kFirst); }

  // Fails with these parts in the message, leaves the run as it was, and the right start goes on.
  void ExpectRefused(const Settings& settings, const std::vector<std::string>& parts) {
    ExpectOneError(RunProgram(run_.Train("runs/a", 2, kFirst + settings)), kWrongInput, parts);
    ExpectUntouched();
  }

  void ExpectUntouched() {
    EXPECT_EQ(run_.Metrics("runs/a").size(), 20u);
    EXPECT_EQ(io::ReadCheckpoint(run_.CheckpointPath("runs/a", 20)).header.step, 20);
    EXPECT_EQ(io::ReadCheckpoint(run_.CheckpointPath("runs/a", 10)).header.step, 10);
  }

  static inline const Settings kFirst = {"training.steps=20"};
  SmallRun run_;
};

TEST_F(WrongResumeTest, AnotherHiddenSize) {
  ExpectRefused({"model.hidden_size=25"}, {"model.hidden_size", "24", "25", "training.folder"});
}

TEST_F(WrongResumeTest, AnotherCellWithTheSameShapes) {
  run_.TrainToTheEnd("runs/gru", 0, kFirst + Settings{"model.cell=GRU"});
  ExpectOneError(
      RunProgram(run_.Train("runs/gru", 2, kFirst + Settings{"model.cell=GRU_RESET_BEFORE"})),
      kWrongInput, {"model.cell", "GRU_RESET_BEFORE", "runs/gru"});
}

TEST_F(WrongResumeTest, AnotherSeed) {
  ExpectRefused({"training.seed=4"}, {"training.seed", "3", "4"});
}

TEST_F(WrongResumeTest, AnotherOptimizer) {
  ExpectRefused({"optimizer.sgd={}"}, {"optimizer", "adam", "sgd"});
}

TEST_F(WrongResumeTest, OtherLanes) { ExpectRefused({"data.lanes=5"}, {"data.lanes", "10", "5"}); }

TEST_F(WrongResumeTest, AFileOfAnotherModel) {
  Launch launch = run_.Train("runs/b", 2, {"model.layers=1"});
  launch.arguments.insert(launch.arguments.end(), {"--resume", run_.CheckpointPath("runs/a", 20)});
  ExpectOneError(RunProgram(launch), kWrongInput, {"model.layers", "step-000000000020.h5"});
  // Also where it would have had to set a run aside: not before the file has proved right.
  launch = run_.Train("runs/a", 2, {"model.layers=1"});
  launch.arguments.insert(launch.arguments.end(), {"--resume", run_.CheckpointPath("runs/a", 20)});
  ExpectOneError(RunProgram(launch), kWrongInput, {"model.layers"});
  ExpectUntouched();
}

TEST_F(WrongResumeTest, AFileThatIsNotThere) {
  Launch launch = run_.Train("runs/a", 2, kFirst);
  launch.arguments.insert(launch.arguments.end(), {"--resume", "nowhere.h5"});
  ExpectOneError(RunProgram(launch), kWrongInput, {"nowhere.h5", "No such file"});
  ExpectUntouched();
}

TEST_F(WrongResumeTest, TheDatasetHasChanged) {
  // The same characters in another order: only the fingerprint tells.
  const std::string text = EnglishLikeText(1800);
  ASSERT_EQ(run_.Import({text.rbegin(), text.rend()}, "corpus.h5").status, 0);
  ExpectRefused({}, {"corpus.h5", "fingerprint", "--resume never"});
  ExpectOneError(RunProgram(run_.Command({"evaluate", run_.CheckpointPath("runs/a", 20)}, 2)),
                 kWrongInput, {"corpus.h5", "--data"});
}

TEST_F(WrongResumeTest, TheDatasetHasAnotherVocabulary) {
  ASSERT_EQ(run_.Import(EnglishLikeText(1800) + "XYZ", "corpus.h5").status, 0);
  ExpectRefused({}, {"corpus.h5", "fingerprint"});
  ExpectOneError(RunProgram(run_.Command({"evaluate", run_.CheckpointPath("runs/a", 20)}, 2)),
                 kWrongInput, {"corpus.h5", "vocabulary"});
}

TEST_F(WrongResumeTest, TheDatasetIsGone) {
  std::filesystem::rename(run_ / "corpus.h5", run_ / "elsewhere.h5");
  ExpectRefused({}, {"corpus.h5", "No such file", "Check the path"});
  ExpectOneError(RunProgram(run_.Command({"evaluate", run_.CheckpointPath("runs/a", 20)}, 2)),
                 kWrongInput, {"corpus.h5", "No such file"});
  std::filesystem::rename(run_ / "elsewhere.h5", run_ / "corpus.h5");
  run_.TrainToTheEnd("runs/a", 2, {"training.steps=30"});
}

TEST_F(WrongResumeTest, AnotherRunUsesTheFolder) {
  const Settings settings = SlowSteps() + Settings{"training.steps=100000"};
  Program other(run_.Train("runs/b", 2, settings));
  ASSERT_TRUE(other.WaitFor([&] { return run_.LastStep("runs/b") > 0; }));
  ExpectOneError(
      RunProgram(run_.Train("runs/b", 2, settings + Settings{"training.lock_minutes=0.01"})), 75,
      {"runs/b", "in use", "process"});
  const int64_t step = run_.LastStep("runs/b");
  ASSERT_TRUE(other.WaitFor([&] { return run_.LastStep("runs/b") > step; })) << "and it goes on";
  other.Signal(SIGUSR1);
  EXPECT_EQ(other.Wait().status, 75);
  ExpectOneError(RunProgram(run_.Train("runs/b", 2, Settings{})), kWrongInput, {"model."});
}

TEST(InputErrorsTest, Configurations) {
  const SmallRun run;
  const auto expect = [&](const Launch& launch, const std::vector<std::string>& parts) {
    ExpectOneError(RunProgram(launch), kWrongInput, parts);
  };
  expect(run.Command({"train", "nowhere.textproto"}, 2), {"nowhere.textproto", "No such file"});
  run.Write("bad.textproto", "data { path: \"corpus.h5\" }\nmodel { hiden_size: 4 }\n");
  expect(run.Command({"train", "bad.textproto"}, 2),
         {"bad.textproto", "2", "hiden_size", "hidden_size"});
  run.Write("range.textproto", "model { dropout: 1.5 }\n");
  expect(run.Command({"train", "range.textproto"}), {"dropout", "1.5"});
  run.Write("torn.textproto", "model { dropout: 0.5 \n");
  expect(run.Command({"train", "torn.textproto"}), {"torn.textproto"});
  expect(run.Train("runs/a", 0, {"optimizer.lerning_rate=1"}), {"lerning_rate", "learning_rate"});
  expect(run.Train("runs/a", 0, {"optimizer.learning_rate=fast"}), {"learning_rate", "fast"});
  expect(run.Train("runs/a", 0, {"optimizer.learning_rate=-1"}), {"learning_rate", "-1"});
  expect(run.Train("runs/a", 0, {"learning_rate"}), {"learning_rate"});
  expect(run.Train("runs/a", 2, {"data.split=tran"}), {"tran", "train", "corpus.h5"});
  expect(run.Train("runs/a", 2, {"evaluation.split=validaton"}), {"validaton", "validation"});
  expect(run.Train("runs/a", 2, {"data.path=run.textproto"}), {"run.textproto", "not a file of"});
  EXPECT_FALSE(std::filesystem::exists(run / "runs")) << "no run folder for a run that cannot be";
}

TEST(InputErrorsTest, ADatasetThatDoesNotFit) {
  const SmallRun run;
  ExpectOneError(RunProgram(run.Train("runs/a", 2, {"data.time_steps=5000"})), kWrongInput,
                 {"corpus.h5", "train", "data.lanes", "data.time_steps", "import"});
  ExpectOneError(RunProgram(run.Train("runs/a", 3, {"data.lanes=2"})), kWrongInput,
                 {"3 ranks", "data.lanes 2", "at most 2"});
  ExpectOneError(RunProgram(run.Train("runs/a", 2, {"task.language_model.softmax_cutoffs=3,5000"})),
                 kWrongInput, {"softmax_cutoffs", "3,5000", "below 22", "corpus.h5"});
  ExpectOneError(RunProgram(run.Train("runs/a", 2, {"task.language_model.sampled_softmax=12"})),
                 kWrongInput, {"sampled_softmax is 12", "at most 11", "corpus.h5"});
  ASSERT_EQ(run.Import(EnglishLikeText(1800), "all.h5", {"--split", "100"}).status, 0);
  // Without a validation split it trains, and says what is missing; early stopping needs one.
  const Outcome outcome = RunProgram(run.Train("runs/all", 2, {"data.path=all.h5"}));
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.err, testing::HasSubstr("there will be no evaluation"));
  ExpectOneError(RunProgram(run.Train(
                     "runs/b", 2, {"data.path=all.h5", "evaluation.early_stopping.patience=2"})),
                 kWrongInput, {"validation", "early stopping", "--split"});
  ExpectOneError(RunProgram(run.Command({"evaluate", run.CheckpointPath("runs/all", 60)}, 2)),
                 kWrongInput, {"all.h5", "test", "--split"});
}

TEST(InputErrorsTest, RanksWithDifferentDatasets) {
  const SmallRun run;
  ASSERT_EQ(run.Import(EnglishLikeText(1800, 2), "other.h5").status, 0);
  std::filesystem::create_directories(run / "host2");
  std::filesystem::rename(run / "other.h5", run / "host2/corpus.h5");
  // A host with a copy of its own: the second rank starts in another folder.
  Launch launch = run.Train("runs/a", 1);
  std::vector<std::string> second = {":", "-n", "1", "-wdir", run / "host2", LOCKSTEP_PROGRAM};
  second.insert(second.end(), launch.arguments.begin(), launch.arguments.end());
  launch.arguments.insert(launch.arguments.end(), second.begin(), second.end());
  ExpectOneError(RunProgram(launch), kWrongInput, {"corpus.h5", "rank 1", "on rank 0"});
}

TEST(InputErrorsTest, Imports) {
  const SmallRun run;
  const auto expect = [&](const Outcome& outcome, const std::vector<std::string>& parts) {
    ExpectOneError(outcome, kWrongInput, parts);
    EXPECT_TRUE(outcome.out.empty());
  };
  expect(run.Import("", "empty.h5"), {"nothing to import"});
  expect(run.Import("ab\xff"
                    "c",
                    "bad.h5"),
         {"bad.h5.txt", "2"});
  expect(run.Import("abc", "a.h5", {"--encoding", "klingon"}), {"klingon"});
  expect(run.Import("abc", "a.h5", {"--split", "90,x"}), {"split"});
  expect(run.Import("abc", "a.h5", {"--split", "nan"}), {"split"});
  expect(run.Import("abc", "a.h5", {"--split", "-5,105"}), {"split"});
  expect(run.Import("abc", "a.h5", {"--split", "0,0,0"}), {"split"});
  expect(RunProgram(run.Command({"import", "text", "-o", "nowhere/a.h5", "corpus.h5.txt"})),
         {"nowhere/a.h5", "Create its folder"});
  expect(RunProgram(run.Command({"import", "text", "-o", "a.h5", "nowhere.txt"}, 2)),
         {"nowhere.txt", "No such file"});
  EXPECT_FALSE(std::filesystem::exists(run / "empty.h5"));
  EXPECT_FALSE(std::filesystem::exists(run / "bad.h5"));
  EXPECT_FALSE(std::filesystem::exists(run / "a.h5"));
  for (const auto& entry : std::filesystem::directory_iterator(run.folder())) {
    EXPECT_FALSE(entry.path().string().ends_with(".new")) << entry.path();
  }
}

TEST(InputErrorsTest, Flags) {
  const SmallRun run;
  run.TrainToTheEnd("runs/a", 0, {"training.steps=20"});
  const std::string checkpoint = run.CheckpointPath("runs/a", 20);
  const std::vector<std::vector<std::string>> wrong = {
      {},
      {"trian", "run.textproto"},
      {"train"},
      {"train", "run.textproto", "--reusme", "auto"},
      {"train", "run.textproto", "more.textproto"},
      {"train", "run.textproto", "--progress", "loud"},
      {"import"},
      {"import", "text", "run.textproto"},
      {"import", "text", "run.textproto", "-o", "a.h5", "--tokens", "syllable"},
      {"evaluate"},
      {"evaluate", "nowhere.h5"},
      {"evaluate", "corpus.h5"},
      {"evaluate", checkpoint, "--split", "nowhere"},
      {"sample", checkpoint, "--length", "-1"},
      {"sample", checkpoint, "--temperature", "-1"},
      {"sample", checkpoint, "--temperature", "nan"},
      {"sample", checkpoint, "--top-k", "many"},
      {"sample", checkpoint, "--count", "0"},
      {"sample", checkpoint, "--prompt", "the Z"},
      {"sample", "run.textproto"},
      {"inspect", "nowhere.h5"},
      {"inspect", "run.textproto"},
  };
  for (const auto& arguments : wrong) {
    SCOPED_TRACE(testing::PrintToString(arguments));
    const Outcome outcome = RunProgram(run.Command(arguments));
    ExpectOneError(outcome, kWrongInput, {});
    EXPECT_EQ(outcome.out, "");
  }
  // On ranks it is said once, too.
  for (const auto& arguments : {wrong[1], wrong[3], wrong[10], wrong[17]}) {
    SCOPED_TRACE(testing::PrintToString(arguments));
    ExpectOneError(RunProgram(run.Command(arguments, 2)), kWrongInput, {});
  }
}

// A person may name the folder that he works in.
TEST(OwnFolderTest, WhatIsThereStays) {
  const SmallRun run;
  const std::string mine = "# my own\n" + io::ReadTextFile(run / "run.textproto");
  run.Write("config.textproto", mine);
  run.Write(".notes.new", "mine");
  Launch launch = run.Train(".", 0, {"training.steps=2"});
  launch.arguments[1] = "config.textproto";
  const Outcome outcome = RunProgram(launch);
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(io::ReadTextFile(run / ".notes.new"), "mine");
  EXPECT_EQ(io::ReadTextFile(run / "config.textproto.1"), mine);
  EXPECT_THAT(outcome.err, testing::HasSubstr("config.textproto.1"));
  // What the run wrote is the run's, and does not change.
  EXPECT_EQ(RunProgram(launch).status, 0);
  EXPECT_FALSE(std::filesystem::exists(run / "config.textproto.2"));

  const SmallRun other;
  for (const std::string name : {"lock", "metrics.jsonl"}) {
    other.Write(name, "mine\n");
    ExpectOneError(RunProgram(other.Train(".")), kWrongInput, {name, "training.folder"});
    EXPECT_EQ(io::ReadTextFile(other / name), "mine\n");
    std::filesystem::remove(other / name);
  }
}

// Every task says which one takes the dataset that it was given.
TEST(DatasetOfAnotherTaskTest, IsNamed) {
  const SmallRun run;
  const std::string rest = "training { folder: \"runs/other\" steps: 1 }\n";
  for (const TaskCase& one : AllTaskCases()) {
    if (one.task == "language_model") continue;
    SCOPED_TRACE(one.name);
    run.Write("other.textproto", one.configuration + rest);
    ExpectOneError(RunProgram(run.Command({"train", "other.textproto"})), kWrongInput,
                   {"corpus.h5: is a dataset of text; the configuration says task { " + one.task +
                    " { } }, it takes task { language_model { } }."});
  }
}

}  // namespace
}  // namespace lockstep::trainer
