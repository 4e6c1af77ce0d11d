// A full disk, a limit on file sizes, missing rights: one message, and the last good checkpoint
// stays.
#include <cerrno>
#include <cstring>
#include <filesystem>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/mount.h>
#include <unistd.h>

#include "tests/trainer/program.h"
#include "tests/trainer/small_run.h"

namespace lockstep::trainer {
namespace {

constexpr int kFailed = 1;
constexpr int kWrongInput = 2;

/// A disk in memory of a given size, mounted while this lives. Needs root.
class SmallDisk {
 public:
  explicit SmallDisk(const std::filesystem::path& path) : path_(path) {
    std::filesystem::create_directories(path);
  }
  ~SmallDisk() {
    if (mounted_) umount2(path_.c_str(), MNT_DETACH);
  }
  SmallDisk(const SmallDisk&) = delete;
  SmallDisk& operator=(const SmallDisk&) = delete;

  /// Mounts it, or changes its size. False, with errno, where that is not allowed.
  bool Resize(const char* size) {
    const unsigned long flags = mounted_ ? MS_REMOUNT : 0;
    const bool done = mount("tmpfs", path_.c_str(), "tmpfs", flags, size) == 0;
    mounted_ = mounted_ || done;
    return done;
  }

 private:
  const std::filesystem::path path_;
  bool mounted_ = false;
};

TEST(DiskErrorsTest, AFullDiskKeepsTheLastGoodCheckpoint) {
  const SmallRun run;
  SmallDisk disk(run / "disk");
  if (!disk.Resize("size=1m")) {
    GTEST_SKIP() << "a small disk cannot be mounted here: " << std::strerror(errno);
  }
  const Settings settings = {"checkpoint.keep=100", "checkpoint.every_steps=2"};
  run.TrainToTheEnd("runs/never", 2, settings);
  const Outcome full = RunProgram(run.Train("disk/a", 2, settings));
  ExpectOneError(full, kFailed, {"disk/a", "No space left", "Make room", "step 60"});
  EXPECT_THAT(full.err, testing::HasSubstr("The training goes on"));
  EXPECT_TRUE(std::filesystem::exists(run.CheckpointPath("disk/a", 2)));
  EXPECT_FALSE(std::filesystem::exists(run.CheckpointPath("disk/a", 60)));
  for (const auto& entry : std::filesystem::directory_iterator(run / "disk/a/checkpoints")) {
    EXPECT_TRUE(entry.path().filename() == "best.h5" ||
                entry.path().filename().string().starts_with("step-"))
        << "a part was left: " << entry.path();
    io::ReadCheckpoint(entry.path());  // throws when it is not whole
  }
  // Still full: the same again, and nothing is lost.
  ExpectOneError(RunProgram(run.Train("disk/a", 2, settings)), kFailed, {"No space left"});
  EXPECT_GT(run.LastStep("disk/a"), 2);

  ASSERT_TRUE(disk.Resize("size=100m"));
  const Outcome room = RunProgram(run.Train("disk/a", 2, settings));
  EXPECT_EQ(room.status, 0) << room.err;
  EXPECT_THAT(room.err, testing::HasSubstr("going on from disk/a/checkpoints/step-"));
  ExpectSameMetrics(run.Metrics("runs/never"), run.Metrics("disk/a"), 60);
  ExpectSameCheckpoints(run.CheckpointPath("runs/never", 60), run.CheckpointPath("disk/a", 60));
}

// Neither a step nor the best one is lost, though the best comes while there is no room.
TEST(DiskErrorsTest, ADiskThatIsFullForAMomentChangesNothing) {
  const SmallRun run;
  SmallDisk disk(run / "disk");
  if (!disk.Resize("size=1m")) {
    GTEST_SKIP() << "a small disk cannot be mounted here: " << std::strerror(errno);
  }
  // No evaluation after the first one is an improvement.
  const Settings settings =
      SlowSteps() + Settings{"checkpoint.every_steps=2", "checkpoint.keep=100",
                             "evaluation.early_stopping.minimum_improvement=100"};
  run.TrainToTheEnd("runs/never", 2, settings);
  Program program(run.Train("disk/a", 2, settings));
  // The second such warning is that of the best one.
  const std::string warning = "The training goes on";
  ASSERT_TRUE(program.WaitFor([&] {
    const std::string err = program.ErrSoFar();
    return err.rfind(warning) != err.find(warning);
  })) << program.ErrSoFar();
  EXPECT_FALSE(std::filesystem::exists(run.BestPath("disk/a")));
  EXPECT_LT(run.LastStep("disk/a"), 50) << "it came too late to test anything";
  ASSERT_TRUE(disk.Resize("size=100m"));
  const Outcome outcome = program.Wait();
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  ExpectSameMetrics(run.Metrics("runs/never"), run.Metrics("disk/a"), 60);
  ExpectSameCheckpoints(run.CheckpointPath("runs/never", 60), run.CheckpointPath("disk/a", 60));
  ASSERT_EQ(io::ReadCheckpoint(run.BestPath("runs/never")).header.step, 10);
  ExpectSameCheckpoints(run.BestPath("runs/never"), run.BestPath("disk/a"));
}

TEST(DiskErrorsTest, AFullDiskEndsAnImport) {
  const SmallRun run;
  SmallDisk disk(run / "disk");
  if (!disk.Resize("size=64k")) {
    GTEST_SKIP() << "a small disk cannot be mounted here: " << std::strerror(errno);
  }
  run.Write("big.txt", EnglishLikeText(50000));
  const Outcome outcome =
      RunProgram(run.Command({"import", "text", "-o", "disk/big.h5", "big.txt"}));
  ExpectOneError(outcome, kFailed, {"disk/big.h5", "No space left"});
  EXPECT_TRUE(std::filesystem::is_empty(run / "disk"));
}

// As with a quota; no rights of any kind are needed to test it.
TEST(DiskErrorsTest, ALimitOnFileSizesIsAMessageToo) {
  const SmallRun run;
  // A checkpoint of 8 MB under a limit of 4 MB, which MPI's own files do not reach.
  Launch launch =
      run.Train("runs/a", 2, {"model.layers=1", "model.hidden_size=400", "training.steps=12"});
  launch.wrapper = {"sh", "-c", "ulimit -f 8192; exec \"$@\"", "sh"};  // of 512 bytes
  ExpectOneError(RunProgram(launch), kFailed,
                 {"runs/a/checkpoints", "step 12", "File too large", "no checkpoint yet"});
  EXPECT_TRUE(std::filesystem::is_empty(run / "runs/a/checkpoints"));
}

/// Makes what is below a folder unwritable, and lets root be bound by that.
class RightsTest : public testing::Test {
 protected:
  void SetUp() override {
    if (geteuid() != 0) return;
    Launch probe = run_.Command({"--version"});
    probe.wrapper = wrapper_ = {"setpriv", "--bounding-set=-dac_override,-dac_read_search"};
    const Outcome outcome = RunProgram(probe);
    if (outcome.status != 0) {
      GTEST_SKIP() << "root cannot give up its rights here: " << outcome.err;
    }
  }
  void TearDown() override {
    std::filesystem::permissions(run_.folder(), std::filesystem::perms::owner_all);
  }

  void ExpectRefused(Launch launch, const std::vector<std::string>& parts) {
    launch.wrapper = wrapper_;
    ExpectOneError(RunProgram(launch), kWrongInput, parts);
  }

  void Forbid(const std::string& name, std::filesystem::perms rights) {
    std::filesystem::permissions(run_ / name, rights);
  }

  std::vector<std::string> wrapper_;
  SmallRun run_;
};

constexpr auto kReadOnly = std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec;

TEST_F(RightsTest, NoRightToWriteTheRunFolder) {
  run_.TrainToTheEnd("runs/a", 0, {"training.steps=20"});
  Forbid("runs/a/checkpoints", kReadOnly);
  Forbid("runs/a", kReadOnly);
  Forbid("runs", kReadOnly);
  ExpectRefused(run_.Train("runs/new", 2), {"runs/new", "Permission denied", "Ask for"});
  // Its lock file exists already and may be written, but nothing may be created beside it.
  ExpectRefused(run_.Train("runs/a", 2), {"runs/a", "Permission denied"});
  Forbid("runs", std::filesystem::perms::owner_all);
  Forbid("runs/a", std::filesystem::perms::owner_all);
  ExpectRefused(run_.Train("runs/a", 2), {"runs/a/checkpoints", "Permission denied"});
  Forbid("runs/a/checkpoints", std::filesystem::perms::owner_all);
  EXPECT_EQ(io::ReadCheckpoint(run_.CheckpointPath("runs/a", 20)).header.step, 20);
  run_.TrainToTheEnd("runs/a", 2);
}

TEST_F(RightsTest, NoRightToReadOrToImport) {
  run_.TrainToTheEnd("runs/a", 0, {"training.steps=20"});
  Forbid("corpus.h5", std::filesystem::perms::none);
  ExpectRefused(run_.Train("runs/a", 2), {"corpus.h5", "Permission denied"});
  Forbid("run.textproto", std::filesystem::perms::none);
  ExpectRefused(run_.Train("runs/a", 2), {"run.textproto", "Permission denied"});
  ExpectRefused(run_.Command({"import", "text", "-o", "b.h5", "run.textproto"}),
                {"run.textproto", "Permission denied"});
  std::filesystem::create_directories(run_ / "closed");
  Forbid("closed", kReadOnly);
  ExpectRefused(run_.Command({"import", "text", "-o", "closed/b.h5", "corpus.h5.txt"}),
                {"closed/b.h5", "Permission denied"});
}

}  // namespace
}  // namespace lockstep::trainer
