// Damaged files: an older whole checkpoint takes over, or one message says that there is none.
#include <algorithm>
#include <filesystem>
#include <fstream>
#include <functional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/trainer/program.h"
#include "tests/trainer/small_run.h"

namespace lockstep::trainer {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

constexpr int kWrongInput = 2;

void Truncate(const std::filesystem::path& path) {
  std::filesystem::resize_file(path, std::filesystem::file_size(path) / 2);
}

void Empty(const std::filesystem::path& path) { std::filesystem::resize_file(path, 0); }

void FlipBit(const std::filesystem::path& path) {
  std::fstream file(path, std::ios::in | std::ios::out | std::ios::binary);
  const auto middle = static_cast<std::streamoff>(std::filesystem::file_size(path) / 2);
  file.seekg(middle);
  const char byte = static_cast<char>(file.get() ^ 4);
  file.seekp(middle);
  file.put(byte);
}

class DamageTest : public testing::TestWithParam<void (*)(const std::filesystem::path&)> {
 protected:
  DamageTest() { run_.TrainToTheEnd("runs/a", 0, kHalf); }

  static inline const Settings kHalf = {"training.steps=30", "optimizer.schedule.constant={}",
                                        "evaluation.every_steps=10"};
  static inline const Settings kWhole = {"training.steps=60", "optimizer.schedule.constant={}",
                                         "evaluation.every_steps=10"};
  // Each file once: two of the names may be of one, and a bit that is flipped twice is whole.
  void DamageAllOf(const std::vector<std::filesystem::path>& paths) {
    for (size_t i = 0; i < paths.size(); ++i) {
      const bool done = std::any_of(paths.begin(), paths.begin() + i, [&](const auto& other) {
        return std::filesystem::equivalent(paths[i], other);
      });
      if (!done) GetParam()(paths[i]);
    }
  }

  SmallRun run_;
};

TEST_P(DamageTest, AnOlderWholeCheckpointTakesOver) {
  run_.TrainToTheEnd("runs/never", 2, kWhole);
  DamageAllOf({run_.CheckpointPath("runs/a", 30), run_.BestPath("runs/a")});
  const Outcome outcome = RunProgram(run_.Train("runs/a", 2, kWhole));
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_THAT(outcome.err, HasSubstr("passed over runs/a/checkpoints/step-000000000030.h5"));
  EXPECT_THAT(outcome.err, HasSubstr("going on from runs/a/checkpoints/step-000000000020.h5"));
  ExpectLossesNear(run_.Metrics("runs/never"), run_.Metrics("runs/a"), 60, 1e-4);
  EXPECT_EQ(io::ReadCheckpoint(run_.CheckpointPath("runs/a", 60)).header.step, 60);
  // What was passed over is kept, where it cannot shadow a new checkpoint.
  const std::string aside = "runs/a/checkpoints/step-000000000030.h5.passed-over";
  EXPECT_TRUE(std::filesystem::exists(run_ / aside));
  EXPECT_THAT(outcome.err, HasSubstr(aside));
}

TEST_P(DamageTest, WithoutAWholeOneNothingIsBegunAnew) {
  const std::filesystem::directory_iterator entries(run_ / "runs/a/checkpoints");
  DamageAllOf({begin(entries), end(entries)});
  ExpectOneError(RunProgram(run_.Train("runs/a", 2, kWhole)), kWrongInput,
                 {"runs/a/checkpoints", "none is whole", "--resume never"});
  EXPECT_EQ(run_.Metrics("runs/a").size(), 30u);
  // What the message advises works.
  Launch anew = run_.Train("runs/a", 2, kWhole);
  anew.arguments.insert(anew.arguments.end(), {"--resume", "never"});
  const Outcome outcome = RunProgram(anew);
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_TRUE(std::filesystem::exists(run_ / "runs/a/checkpoints.1/step-000000000030.h5"));
}

TEST_P(DamageTest, EveryCommandRefusesADamagedCheckpoint) {
  const std::string path = run_.CheckpointPath("runs/a", 30);
  GetParam()(path);
  for (const std::string command : {"evaluate", "sample"}) {
    ExpectOneError(RunProgram(run_.Command({command, path}, 2)), kWrongInput,
                   {"step-000000000030.h5", "damaged"});
  }
  Launch resume = run_.Train("runs/b", 2, kWhole);
  resume.arguments.insert(resume.arguments.end(), {"--resume", path});
  ExpectOneError(RunProgram(resume), kWrongInput, {"step-000000000030.h5", "damaged"});
  const Outcome inspected = RunProgram(run_.Command({"inspect", path, "--json"}, 2));
  EXPECT_EQ(inspected.status, kWrongInput);
  EXPECT_EQ(nlohmann::json::parse(inspected.out).at("whole"), false);
}

TEST_P(DamageTest, ADamagedDatasetIsFound) {
  GetParam()(run_ / "corpus.h5");
  // On two ranks each may find its own part damaged; the message must say what it is all the same.
  for (const int ranks : {0, 2}) {
    const Outcome outcome = RunProgram(run_.Train("runs/a", ranks, kWhole));
    EXPECT_EQ(outcome.status, kWrongInput) << outcome.err;
    ASSERT_FALSE(outcome.Errors().empty());
    EXPECT_LE(outcome.Errors().size(), 1u + (ranks > 1)) << outcome.err;
    EXPECT_THAT(outcome.Errors()[0], HasSubstr("corpus.h5"));
    EXPECT_THAT(outcome.Errors()[0], HasSubstr("damaged"));
  }
  EXPECT_EQ(io::ReadCheckpoint(run_.CheckpointPath("runs/a", 30)).header.step, 30);
}

std::string NameOfDamage(
    const testing::TestParamInfo<void (*)(const std::filesystem::path&)>& info) {
  return info.param == &Truncate ? "CutShort" : info.param == &Empty ? "Emptied" : "OneBit";
}

INSTANTIATE_TEST_SUITE_P(Damages, DamageTest, testing::Values(&Truncate, &Empty, &FlipBit),
                         NameOfDamage);

}  // namespace
}  // namespace lockstep::trainer
