// Standard streams that cannot be written: a full disk, a pipe whose reader is gone, a closed
// stream.
#include <filesystem>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/datasets/dataset.h"
#include "tests/trainer/program.h"
#include "tests/trainer/small_run.h"

namespace lockstep::trainer {
namespace {

// Redirections of a stream ("1" or "2"); the reader of the pipe has gone when the program starts.
std::vector<std::string> Broken(const std::string& stream) {
  return {stream + ">/dev/full", stream + "> >(exit 0); sleep 0.3", stream + ">&-"};
}

Launch With(Launch launch, const std::string& redirection) {
  launch.wrapper = {"bash", "-c", "exec " + redirection + "; exec \"$@\"", "bash"};
  return launch;
}

TEST(OutputTest, NothingThatAPersonReadsEndsATraining) {
  const SmallRun run;
  run.TrainToTheEnd("runs/never");
  for (const std::string& redirection : Broken("2")) {
    SCOPED_TRACE(redirection);
    std::filesystem::remove_all(run / "runs/a");
    EXPECT_EQ(RunProgram(With(run.Train("runs/a"), redirection)).status, 0);
    ExpectSameMetrics(run.Metrics("runs/never"), run.Metrics("runs/a"), 60);
    ExpectSameCheckpoints(run.CheckpointPath("runs/never", 60), run.CheckpointPath("runs/a", 60));
    const auto status = [&](const std::vector<std::string>& arguments) {
      return RunProgram(With(run.Command(arguments), redirection)).status;
    };
    EXPECT_EQ(status({"import", "text", "-o", "b.h5", "corpus.h5.txt"}), 0);
    EXPECT_EQ(io::Dataset::Open(run / "b.h5").fingerprint(),
              io::Dataset::Open(run / "corpus.h5").fingerprint());
    EXPECT_EQ(status({"evaluate", run.BestPath("runs/a")}), 0);
    EXPECT_EQ(status({"inspect", "corpus.h5"}), 0);
    EXPECT_EQ(status({"train", "missing.textproto"}), 2);
    EXPECT_EQ(status({"inspect", "missing.h5"}), 2);
    EXPECT_EQ(status({"trian"}), 2);
  }
}

TEST(OutputTest, ALogThatCannotBeWrittenIsToldOnce) {
  const SmallRun run;
  std::filesystem::create_directories(run / "runs/a");
  std::filesystem::create_symlink("/dev/full", run / "runs/a/log.txt");
  const Outcome outcome = RunProgram(run.Train("runs/a"));
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  const std::string warning = "warning: runs/a/log.txt cannot be written";
  const size_t at = outcome.err.find(warning);
  ASSERT_NE(at, outcome.err.npos) << outcome.err;
  EXPECT_EQ(outcome.err.find(warning, at + 1), outcome.err.npos) << outcome.err;
  EXPECT_THAT(outcome.err, testing::Not(testing::HasSubstr("LOG ERROR")));
  EXPECT_THAT(outcome.err, testing::HasSubstr("complete after step 60"));
}

TEST(OutputTest, AResultThatCannotBeWrittenIsAnError) {
  const SmallRun run;
  run.TrainToTheEnd("runs/a");
  const std::string checkpoint = run.BestPath("runs/a");
  for (const std::string& redirection : Broken("1")) {
    for (const std::vector<std::string>& arguments : {std::vector<std::string>{"config"},
                                                      {"sample", checkpoint},
                                                      {"evaluate", checkpoint, "--json"},
                                                      {"inspect", checkpoint, "--json"},
                                                      {"--version"}}) {
      SCOPED_TRACE(arguments[0] + " " + redirection);
      ExpectOneError(RunProgram(With(run.Command(arguments), redirection)), 1,
                     {"standard output cannot be written"});
    }
  }
}

// Latin-1, and cut off in the middle of a character.
TEST(OutputTest, AFileWhoseNameIsNotUtf8IsNoHindrance) {
  const SmallRun run;
  run.TrainToTheEnd("runs/a");
  for (const std::string name : {"caf\xe9.h5", "\xe4\xb8"}) {
    std::filesystem::copy_file(run.BestPath("runs/a"), run / name);
    for (const int ranks : {0, 2}) {
      const Outcome outcome = RunProgram(run.Command({"evaluate", name, "--json"}, ranks));
      EXPECT_EQ(outcome.status, 0) << outcome.err;
      const auto json = nlohmann::json::parse(outcome.out);
      EXPECT_THAT(json.at("checkpoint").get<std::string>(), testing::HasSubstr("\uFFFD"));
    }
    EXPECT_EQ(RunProgram(run.Command({"inspect", name, "--json"})).status, 0);
    EXPECT_EQ(RunProgram(run.Command({"inspect", name})).status, 0);
  }
}

}  // namespace
}  // namespace lockstep::trainer
