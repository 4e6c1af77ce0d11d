// The run folder in a hard world: no locks, a lock that somebody holds, a kill while an older run
// is set aside.
#include "io/run/run_folder.h"

#include <cerrno>
#include <filesystem>
#include <optional>
#include <string>

#include <fmt/format.h>
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>

#include "tests/trainer/program.h"
#include "tests/trainer/small_run.h"

namespace lockstep::trainer {
namespace {

using ::testing::AnyOf;
using ::testing::HasSubstr;
using ::testing::Not;

constexpr int kStopped = 75;

// The program in a system with faults; see system_faults.cc.
Launch WithFault(Launch launch, const std::string& name, int value) {
  launch.environment["LD_PRELOAD"] = LOCKSTEP_SYSTEM_FAULTS;
  launch.environment["ASAN_OPTIONS"] = "verify_asan_link_order=0";
  launch.environment[name] = std::to_string(value);
  return launch;
}

TEST(RunFolderTest, AFileSystemWithoutLocksWillDo) {
  for (const int error : {ENOSYS, EOPNOTSUPP, ENOLCK}) {
    const SmallRun run;
    const auto expect_done = [&](const Launch& launch) {
      const Outcome outcome = RunProgram(WithFault(launch, "FAULT_FLOCK", error));
      EXPECT_EQ(outcome.status, 0) << outcome.err;
      return outcome.err;
    };
    const Outcome imported = RunProgram(WithFault(
        run.Command({"import", "text", "-o", "again.h5", "run.textproto"}), "FAULT_FLOCK", error));
    EXPECT_EQ(imported.status, 0) << imported.err;
    EXPECT_THAT(expect_done(run.Train("runs/a", 2, {"training.steps=20"})),
                HasSubstr("knows no locks"));
    EXPECT_THAT(expect_done(run.Train("runs/a", 2)), HasSubstr("going on from"));
    expect_done(run.Command({"evaluate", run.BestPath("runs/a")}));
    expect_done(run.Command({"inspect", run.BestPath("runs/a")}));
    expect_done(run.Command({"sample", run.BestPath("runs/a"), "--length", "5"}));
  }
}

TEST(RunFolderTest, ALockThatIsLetGoIsWaitedFor) {
  const SmallRun run;
  std::optional<io::RunFolder> holder(run / "runs/a");
  Program program(run.Train("runs/a", 2, {"training.steps=20"}));
  ASSERT_TRUE(program.WaitFor(
      [&] { return program.ErrSoFar().find("Waiting up to 5 minutes") != std::string::npos; }));
  program.LetRun(std::chrono::seconds(1));
  EXPECT_EQ(run.LastStep("runs/a"), 0);
  holder.reset();
  const Outcome outcome = program.Wait();
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  const size_t told = outcome.err.find("Waiting up to");
  EXPECT_EQ(outcome.err.find("Waiting up to", told + 1), std::string::npos) << outcome.err;
}

TEST(RunFolderTest, ALockThatStaysMeansStartAgainLater) {
  const SmallRun run;
  const io::RunFolder holder(run / "runs/a");
  // Longer than the ranks would wait for each other, which they do not do here.
  ExpectOneError(
      RunProgram(
          run.Train("runs/a", 2, {"training.lock_minutes=0.15", "training.timeout_minutes=0.1"})),
      kStopped,
      {"runs/a is in use by process " + std::to_string(getpid()), "0.15 minutes", "started again"});
  ExpectOneError(RunProgram(run.Train("runs/a", 0, {"training.lock_minutes=0"})), kStopped,
                 {"in use"});
}

TEST(RunFolderTest, ASignalToAnyRankEndsTheWait) {
  const SmallRun run;
  const io::RunFolder holder(run / "runs/a");
  for (const int rank : {0, 1}) {
    Program program(run.Train("runs/a", 2));
    ASSERT_TRUE(program.WaitFor(
        [&] { return program.ErrSoFar().find("Waiting up to") != std::string::npos; }));
    program.SignalRank(rank, SIGTERM);
    ExpectOneError(program.Wait(), kStopped, {"stopped by signal 15", "in use"});
  }
}

// A start that is killed before the n-th change of a name, for every n, and then a plain one.
class KilledStartTest : public testing::Test {
 protected:
  KilledStartTest() {
    run_.TrainToTheEnd("runs/old", 0, {"training.steps=30", "checkpoint.keep=100", kConstant});
  }

  static constexpr char kConstant[] = "optimizer.schedule.constant={}";

  void CopyOldRun() {
    std::filesystem::remove_all(run_ / "runs/a");
    std::filesystem::copy(run_ / "runs/old", run_ / "runs/a",
                          std::filesystem::copy_options::recursive);
  }

  // True when the start was killed.
  bool Kill(const std::string& resume, int at) {
    Launch launch = run_.Train("runs/a", 0, {"training.steps=40", kConstant});
    launch.arguments.insert(launch.arguments.end(), {"--resume", resume});
    const Outcome outcome = RunProgram(WithFault(launch, "FAULT_KILL_AT", at));
    EXPECT_THAT(outcome.status, AnyOf(0, 128 + SIGKILL)) << outcome.err;
    return outcome.status != 0;
  }

  // What a plain start says and does: it goes on to step 40.
  std::string StartPlainly() {
    const Outcome outcome = RunProgram(
        run_.Train("runs/a", 0, {"training.steps=40", "checkpoint.keep=100", kConstant}));
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    EXPECT_EQ(run_.LastStep("runs/a"), 40);
    EXPECT_FALSE(std::filesystem::exists(run_ / "runs/a/.checkpoints.anew"));
    return outcome.err;
  }

  // Checkpoints, metrics and configuration of the old run, as they were or all under one number.
  void ExpectOldRunIsKept(bool aside) {
    const std::string suffix = aside ? ".1" : "";
    for (const int step : {10, 20, 30}) {
      EXPECT_TRUE(std::filesystem::exists(
          run_ / fmt::format("runs/a/checkpoints{}/step-{:012}.h5", suffix, step)));
    }
    EXPECT_TRUE(std::filesystem::exists(run_ / ("runs/a/config.textproto" + suffix)));
    EXPECT_EQ(std::filesystem::exists(run_ / "runs/a/checkpoints.1"), aside);
    EXPECT_FALSE(std::filesystem::exists(run_ / "runs/a/checkpoints.2"));
    if (aside) {
      std::filesystem::create_directories(run_ / "runs/metrics");
      std::filesystem::copy_file(run_ / "runs/a/metrics.jsonl.1",
                                 run_ / "runs/metrics/metrics.jsonl",
                                 std::filesystem::copy_options::overwrite_existing);
      EXPECT_EQ(run_.Metrics("runs/metrics").size(), 30u);
    } else {
      EXPECT_EQ(run_.Metrics("runs/a").size(), 40u);
    }
  }

  SmallRun run_;
};

TEST_F(KilledStartTest, FromAFileItFindsTheOldRunOrTheNewOne) {
  int old_runs = 0, new_runs = 0;
  for (int at = 1;; ++at) {
    SCOPED_TRACE(at);
    CopyOldRun();
    if (!Kill(run_.CheckpointPath("runs/a", 20), at)) break;
    const std::string said = StartPlainly();
    const bool is_old = said.find("(step 30)") != std::string::npos &&
                        !std::filesystem::exists(run_ / "runs/a/checkpoints.1");
    if (!is_old) {
      EXPECT_THAT(said, Not(HasSubstr("new run in")));
    }
    ++(is_old ? old_runs : new_runs);
    ExpectOldRunIsKept(!is_old);
  }
  EXPECT_GE(old_runs, 2);
  EXPECT_GE(new_runs, 3);
}

TEST_F(KilledStartTest, AnewItFindsTheOldRunOrTheNewOne) {
  int old_runs = 0, new_runs = 0;
  for (int at = 1;; ++at) {
    SCOPED_TRACE(at);
    CopyOldRun();
    if (!Kill("never", at)) break;
    const std::string said = StartPlainly();
    const bool is_old = said.find("(step 30)") != std::string::npos &&
                        !std::filesystem::exists(run_ / "runs/a/checkpoints.1");
    ++(is_old ? old_runs : new_runs);
    ExpectOldRunIsKept(!is_old);
  }
  EXPECT_GE(old_runs, 1);
  EXPECT_GE(new_runs, 3);
}

}  // namespace
}  // namespace lockstep::trainer
