// What the commands print, and where: a program reads standard output, a person standard error.
#include <cmath>
#include <filesystem>
#include <map>
#include <set>
#include <sstream>
#include <string>
#include <string_view>
#include <vector>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>

#include "io/datasets/dataset.h"
#include "io/run/run_folder.h"
#include "tests/trainer/program.h"
#include "tests/trainer/small_run.h"
#include "tests/trainer/task_cases.h"
#include "worker/products/instruction_set.h"

namespace lockstep::trainer {
namespace {

using ::testing::HasSubstr;

const std::vector<std::vector<std::string>> kCommands = {
    {},         {"import"},  {"import", "text"}, {"train"}, {"evaluate"},
    {"sample"}, {"inspect"}, {"config"},         {"plan"},  {"bench"}};

int Count(std::string_view text, std::string_view part) {
  int count = 0;
  for (size_t at = 0; (at = text.find(part, at)) != text.npos; at += part.size()) ++count;
  return count;
}

std::vector<std::string> With(std::vector<std::string> arguments, const std::string& flag) {
  arguments.push_back(flag);
  return arguments;
}

TEST(CommandsTest, HelpIsEverywhere) {
  const SmallRun run;
  for (const auto& command : kCommands) {
    SCOPED_TRACE(testing::PrintToString(command));
    const Outcome outcome = RunProgram(run.Command(With(command, "--help")));
    EXPECT_EQ(outcome.status, 0);
    EXPECT_EQ(Count(outcome.out, "Usage:"), 1) << outcome.out;
    EXPECT_EQ(outcome.err, "");
  }
  const Outcome many = RunProgram(run.Command({"train", "--help"}, 2));
  EXPECT_EQ(many.status, 0);
  EXPECT_EQ(Count(many.out, "Usage:"), 1) << many.out;
}

TEST(CommandsTest, VersionIsEverywhere) {
  const SmallRun run;
  for (const auto& command : kCommands) {
    SCOPED_TRACE(testing::PrintToString(command));
    const Outcome outcome = RunProgram(run.Command(With(command, "--version")));
    EXPECT_EQ(outcome.status, 0);
    EXPECT_EQ(outcome.out, "lockstep " LOCKSTEP_VERSION "\n");
    EXPECT_EQ(outcome.err, "");
  }
  EXPECT_EQ(RunProgram(run.Command({"--version"}, 2)).out, "lockstep " LOCKSTEP_VERSION "\n");
}

TEST(CommandsTest, TheDefaultConfigurationTrains) {
  const SmallRun run;
  const Outcome printed = RunProgram(run.Command({"config"}, 2));
  EXPECT_EQ(printed.status, 0);
  EXPECT_EQ(printed.err, "");
  EXPECT_EQ(Count(printed.out, "hidden_size:"), 1);
  run.Write("default.textproto", printed.out);
  std::filesystem::rename(run / "corpus.h5", run / "small.h5");
  // Its dataset is not there; nothing else is wrong with it.
  ExpectOneError(RunProgram(run.Command({"train", "default.textproto"})), 2, {"corpus.h5"});
  const Outcome trained = RunProgram(run.Command(
      {"train", "default.textproto", "--set", "data.path=small.h5", "--set", "data.lanes=8",
       "--set", "data.time_steps=8", "--set", "training.steps=3", "--set", "model.hidden_size=8"}));
  EXPECT_EQ(trained.status, 0) << trained.err;
}

TEST(CommandsTest, TrainTellsAPersonAndKeepsItAll) {
  const SmallRun run;
  const Outcome outcome = RunProgram(run.Train("runs/a", 2));
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "");
  for (const char* part :
       {"2 rank(s)", "thread(s)", "oneDNN", "parameters", "corpus.h5", "10 lanes", "memory", "loss",
        "bits/char", "norm", "rate", "tokens/s", "to go", "validation loss", "allreduce",
        "complete after step 60", "lockstep evaluate"}) {
    EXPECT_THAT(outcome.err, HasSubstr(part));
  }
  EXPECT_THAT(io::ReadTextFile(run / "runs/a/log.txt"), HasSubstr("complete after step 60"));
  // The configuration that was kept is complete, and is the same run.
  const Outcome again = RunProgram(run.Command({"train", "runs/a/config.textproto"}));
  EXPECT_THAT(again.err, HasSubstr("this run is complete (60 steps)"));
}

TEST(CommandsTest, MemoryIsToldBeforeItIsAllocated) {
  const SmallRun run;
  Launch launch = run.Train("runs/a", 0, {"model.hidden_size=12000"});
  launch.wrapper = {"sh", "-c", "ulimit -v 4000000; exec \"$@\"", "sh"};  // of 1,024 bytes
  const Outcome outcome = RunProgram(launch);
  ExpectOneError(outcome, 1, {"no memory on", "model.hidden_size"});
  const size_t told = outcome.err.find("memory: about 36"), failed = outcome.err.find("error");
  EXPECT_LT(told, failed) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("more on rank 0 at a checkpoint"));
}

TEST(CommandsTest, ImportTakesItsOptionsBeforeTheFiles) {
  const SmallRun run;
  run.Write("a.txt", "abc");
  run.Write("b.txt", "de");
  const Outcome outcome = RunProgram(
      run.Command({"import", "text", "-o", "b.h5", "--split", "80,20", "a.txt", "b.txt"}));
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  const io::Dataset dataset = io::Dataset::Open(run / "b.h5");
  EXPECT_EQ(dataset.split("train").size(), 4u);
  EXPECT_EQ(dataset.split("validation").size(), 1u);
}

TEST(CommandsTest, ImportTellsAPerson) {
  const SmallRun run;
  for (const int ranks : {0, 2}) {
    const Outcome outcome =
        RunProgram(run.Command({"import", "text", "-o", "b.h5", "corpus.h5.txt"}, ranks));
    EXPECT_EQ(outcome.status, 0);
    EXPECT_EQ(outcome.out, "");
    EXPECT_EQ(Count(outcome.err, "fingerprint"), 1) << outcome.err;
  }
}

TEST(CommandsTest, EvaluateGivesAPersonWordsAndAProgramJson) {
  const SmallRun run;
  run.TrainToTheEnd("runs/a");
  const std::string checkpoint = run.BestPath("runs/a");
  const Outcome words = RunProgram(run.Command({"evaluate", checkpoint}, 2));
  EXPECT_EQ(words.out, "");
  EXPECT_EQ(Count(words.err, "nats a token"), 1) << words.err;
  const Outcome json = RunProgram(run.Command({"evaluate", checkpoint, "--json"}, 2));
  const auto result = nlohmann::json::parse(json.out);
  EXPECT_EQ(result.at("split"), "test");
  EXPECT_EQ(result.at("step"), 60);
  EXPECT_GT(result.at("tokens").get<int>(), 300);
  EXPECT_NEAR(result.at("perplexity").get<double>(), std::exp(result.at("loss").get<double>()),
              1e-9);
  EXPECT_NEAR(result.at("bits").get<double>(), result.at("loss").get<double>() / std::log(2.0),
              1e-9);
  // A part of the split, as evaluations in training read it: 5 tokens of each of 10 lanes.
  const Outcome part =
      RunProgram(run.Command({"evaluate", checkpoint, "--json", "--most-tokens", "59"}));
  EXPECT_EQ(nlohmann::json::parse(part.out).at("tokens"), 50);
  // A dataset that has moved may be named with --data.
  std::filesystem::rename(run / "corpus.h5", run / "moved.h5");
  const Outcome moved =
      RunProgram(run.Command({"evaluate", checkpoint, "--json", "--data", "moved.h5"}));
  EXPECT_NEAR(nlohmann::json::parse(moved.out).at("loss").get<double>(),
              result.at("loss").get<double>(), 1e-6);
}

TEST(CommandsTest, PlanGivesAPersonATableAndAProgramJson) {
  const SmallRun run;
  const auto plan = [&](const std::vector<std::string>& more, int ranks = 0) {
    std::vector<std::string> arguments = {"plan", "run.textproto"};
    arguments.insert(arguments.end(), more.begin(), more.end());
    return RunProgram(run.Command(arguments, ranks));
  };
  const Outcome table = plan({"--hosts", "3", "--network", "1gbit,100us"});
  EXPECT_EQ(table.status, 0) << table.err;
  EXPECT_EQ(Count(table.out, "\n"), 1 + 5 + 1) << table.out;  // 1, 2, 3, 4 and 8 hosts for 10 lanes
  EXPECT_EQ(Count(table.out, "  <\n"), 1) << "the row of 3 hosts";
  EXPECT_THAT(table.out, HasSubstr("lanes a rank"));
  EXPECT_THAT(table.err, HasSubstr("measuring with 1 rank(s)"));
  EXPECT_FALSE(std::filesystem::exists(run / "runs")) << "it trains nothing";
  for (const int ranks : {0, 2}) {
    const Outcome two = plan({"--json", "--hosts", "2", "--ranks-per-host", "2"}, ranks);
    ASSERT_EQ(two.status, 0) << two.err;
    const auto json = nlohmann::json::parse(two.out);
    ASSERT_EQ(json["rows"].size(), 3u);
    for (const auto& row : json["rows"]) {
      const int64_t there = row["ranks"], lanes = row["lanes_a_rank"];
      EXPECT_EQ(there, 2 * row["hosts"].get<int64_t>());
      EXPECT_EQ(lanes, (10 + there - 1) / there);
      EXPECT_EQ(row["asked_for"], row["hosts"] == 2);
      const double step = row["step_seconds"], exposed = row["exposed_seconds"];
      EXPECT_GT(step, exposed);
      EXPECT_GT(exposed, 0.0);
      EXPECT_GT(row["tokens_per_second"], 0.0);
      EXPECT_GT(row["epoch_seconds"], step);
      EXPECT_GT(row["memory_bytes_a_rank"], 10'000);
    }
    EXPECT_GT(json["least_lanes_a_rank"], 0);
  }
  ExpectOneError(plan({"--hosts", "11"}), 2, {"11 hosts x 1 ranks", "up to 10", "data.lanes (10)"});
  ExpectOneError(plan({"--network", "fast"}), 2, {"--network fast", "10gbit,50us"});
  ExpectOneError(plan({"--ranks-per-host", "3"}, 2), 2, {"--ranks-per-host 3", "2 ranks"});
  ExpectOneError(plan({"--set", "data.path=nowhere.h5"}, 2), 2, {"nowhere.h5", "No such file"});
}

TEST(CommandsTest, BenchGivesAPersonATableAndAProgramJson) {
  const SmallRun run;
  const std::vector<std::string> small = {"bench",   "--hidden", "16,24",        "--lanes", "8",
                                          "--turns", "1",        "--time-steps", "4"};
  const Outcome table = RunProgram(run.Command(small));
  ASSERT_EQ(table.status, 0) << table.err;
  EXPECT_THAT(table.err, HasSubstr("8 lanes of 4 time steps"));
  EXPECT_THAT(table.out, HasSubstr("GB/s"));

  const Outcome outcome = RunProgram(run.Command(
      small + std::vector<std::string>{"--json", "--isa", "all", "--cells", "GRU,LSTM,RNN_TANH",
                                       "--precisions", "BF16,FLOAT32"}));
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  const auto json = nlohmann::json::parse(outcome.out);
  std::map<std::string, int> sets;
  for (const auto& row : json.at("rows")) {
    ++sets[row.at("instruction_set")];
    const auto& quartiles = row.at("step_tokens_per_second_quartiles");
    EXPECT_LE(quartiles[0], row.at("step_tokens_per_second"));
    EXPECT_GE(quartiles[1], row.at("step_tokens_per_second"));
    if (row.at("limit_operations_per_second").is_null()) {
      EXPECT_EQ(row.at("precision"), "BF16");
    } else {
      EXPECT_LT(row.at("step_operations_per_second"), row.at("limit_operations_per_second"));
    }
    EXPECT_EQ(row.at("products").get<std::string>().find("bf16") != std::string::npos,
              row.at("precision") == "BF16" && !row.at("rounded_float32").get<bool>());
    for (const char* rate : {"product_operations_per_second", "layers_tokens_per_second",
                             "step_operations_per_second"}) {
      EXPECT_GT(row.at(rate), 0.0) << rate;
    }
  }
  EXPECT_EQ(sets.size(), worker::InstructionSets().size());
  for (const auto& [set, rows] : sets) EXPECT_EQ(rows, 2 * 3 * 2) << set;

  ExpectOneError(RunProgram(run.Command({"bench", "--isa", "8086"})), 2, {"8086", "all"});
  ExpectOneError(RunProgram(run.Command({"bench", "--cells", "GRU,TREE"})), 2, {"TREE", "LSTM"});
}

TEST(CommandsTest, InspectGivesAPersonWordsAndAProgramJson) {
  const SmallRun run;
  run.TrainToTheEnd("runs/a");
  for (const std::string& file : {std::string("corpus.h5"), run.BestPath("runs/a").string()}) {
    const Outcome words = RunProgram(run.Command({"inspect", file}, 2));
    EXPECT_EQ(words.status, 0);
    EXPECT_EQ(words.out, "");
    EXPECT_EQ(Count(words.err, "whole: true"), 1) << words.err;
    const Outcome json = RunProgram(run.Command({"inspect", file, "--json"}, 2));
    EXPECT_EQ(json.status, 0);
    EXPECT_EQ(nlohmann::json::parse(json.out).at("whole"), true);
  }
}

// The same parameters, used in either precision.
// One command of each way that a checkpoint is opened.
TEST(PrecisionTest, CommandsTakeThatOfTheCheckpoint) {
  size_t seen = 0;
  const std::map<std::string, std::vector<std::string>> commands = {
      {"language_model", {"score"}},
      {"classify", {"predict", "--json"}},
      {"forecast_direct", {"forecast", "--backtest", "--csv", "-"}}};
  for (const TaskCase& task : AllTaskCases()) {
    if (!commands.contains(task.name)) continue;
    SCOPED_TRACE(task.name);
    const SmallRun run(task);
    run.Write("input.txt", "the of and\n");
    std::vector<std::string> outputs;
    for (const char* precision : {"FLOAT32", "BF16"}) {
      run.TrainToTheEnd(precision, 0,
                        {"training.steps=1", "optimizer.learning_rate=1e-30",
                         fmt::format("model.precision={}", precision)});
      Launch launch = run.Command(commands.at(task.name));
      launch.arguments.push_back(run.CheckpointPath(precision, 1));
      launch.wrapper = {"sh", "-c", "exec \"$@\" < input.txt", "sh"};
      const Outcome outcome = RunProgram(launch);
      ASSERT_EQ(outcome.status, 0) << outcome.err;
      outputs.push_back(outcome.out);
    }
    EXPECT_NE(outputs[0], outputs[1]);
    EXPECT_EQ(Count(outputs[0], "\n"), Count(outputs[1], "\n"));
    ++seen;
  }
  EXPECT_EQ(seen, commands.size());
}

class SampleTest : public testing::Test {
 protected:
  SampleTest() { run_.TrainToTheEnd("runs/a"); }
  std::string Text(std::vector<std::string> flags, int ranks = 0) {
    std::vector<std::string> arguments = {"sample", run_.BestPath("runs/a"), "--length", "60"};
    arguments.insert(arguments.end(), flags.begin(), flags.end());
    const Outcome outcome = RunProgram(run_.Command(arguments, ranks));
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_EQ(outcome.err, "");
    return outcome.out;
  }
  SmallRun run_;
};

TEST_F(SampleTest, TheSameSeedWritesTheSameText) {
  const std::string text = Text({"--seed", "7"});
  EXPECT_EQ(text.size(), 61u) << "60 characters and a line feed";
  EXPECT_EQ(Text({"--seed", "7"}), text);
  EXPECT_EQ(Text({"--seed", "7"}, 2), text) << "under mpirun once";
  EXPECT_NE(Text({"--seed", "8"}), text);
}

TEST_F(SampleTest, TemperatureZeroAndTopOneAlwaysTakeTheLikeliest) {
  const std::string likeliest = Text({"--temperature", "0", "--prompt", "the "});
  EXPECT_TRUE(likeliest.starts_with("the "));
  EXPECT_EQ(Text({"--temperature", "0", "--prompt", "the ", "--seed", "9"}), likeliest);
  EXPECT_EQ(Text({"--top-k", "1", "--prompt", "the "}), likeliest);
  EXPECT_EQ(Text({"--temperature", "0.001", "--prompt", "the "}), likeliest);
  EXPECT_NE(Text({"--prompt", "the "}), likeliest);
}

// Text i of many is that of few, and the first is that of a plain call.
TEST_F(SampleTest, WritesManyTextsBesideEachOther) {
  const std::vector<std::string> flags = {"--seed", "7", "--prompt", "the "};
  const auto with = [&](std::vector<std::string> more) {
    more.insert(more.end(), flags.begin(), flags.end());
    return Text(more);
  };
  const std::string one = with({});
  const std::string three = with({"--count", "3"});
  EXPECT_TRUE(three.starts_with("======== 1 of 3 ========\n" + one + "======== 2 of 3 ========\n"));
  std::istringstream many(with({"--count", "70", "--json"}));  // more than one batch
  std::vector<std::string> texts;
  for (std::string line; std::getline(many, line);) {
    const auto json = nlohmann::json::parse(line);
    EXPECT_EQ(json.at("number"), texts.size() + 1);
    texts.push_back(std::string(json.at("prompt")) + std::string(json.at("text")) + "\n");
  }
  ASSERT_EQ(texts.size(), 70u);
  EXPECT_EQ(texts[0], one);
  EXPECT_TRUE(three.ends_with("======== 3 of 3 ========\n" + texts[2]));
  EXPECT_EQ(std::set<std::string>(texts.begin(), texts.end()).size(), 70u) << "they differ";
  const Outcome nothing =
      RunProgram(run_.Command({"sample", run_.BestPath("runs/a"), "--json", "--length", "0"}));
  EXPECT_EQ(nothing.out, "{\"number\":1,\"prompt\":\"\",\"text\":\"\"}\n") << nothing.err;
}

TEST_F(SampleTest, ACharacterThatTheModelDoesNotKnowIsAClearError) {
  ExpectOneError(
      RunProgram(run_.Command({"sample", run_.BestPath("runs/a"), "--prompt", "the Zebra"})), 2,
      {"Z", "4"});
}

TEST(HelloTest, AModelThatHasLearntHelloContinuesIt) {
  const SmallRun run;
  std::string text;
  for (int i = 0; i < 400; ++i) text += "hello";
  ASSERT_EQ(run.Import(text, "hello.h5").status, 0);
  run.TrainToTheEnd("runs/hello", 2,
                    {"data.path=hello.h5", "model.layers=1", "model.dropout=0",
                     "training.steps=150", "optimizer.learning_rate=0.02"});
  const Outcome outcome = RunProgram(run.Command({"sample", run.BestPath("runs/hello"), "--prompt",
                                                  "h", "--length", "9", "--temperature", "0"}));
  EXPECT_EQ(outcome.out, "hellohello\n");
}

}  // namespace
}  // namespace lockstep::trainer
