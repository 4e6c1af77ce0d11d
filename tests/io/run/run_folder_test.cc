#include "io/run/run_folder.h"

#include <array>
#include <optional>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include "io/errors.h"
#include "tests/io/child_process.h"
#include "tests/io/file_bytes.h"
#include "tests/io/temporary_folder.h"

namespace lockstep::io {
namespace {

using testing::HasSubstr;

std::string WhyNot(const std::filesystem::path& folder) {
  try {
    RunFolder run(folder);
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

TEST(RunFolder, IsCreatedWithItsParents) {
  const TemporaryFolder scratch;
  const RunFolder run(scratch / "runs/a");
  EXPECT_TRUE(std::filesystem::is_directory(scratch / "runs/a"));
  EXPECT_TRUE(run.locked());
  EXPECT_EQ(run.checkpoints(), scratch / "runs/a/checkpoints");
}

TEST(RunFolder, IsHeldByOneRun) {
  const TemporaryFolder scratch;
  std::optional<RunFolder> run(std::in_place, scratch.path());
  EXPECT_THROW(RunFolder{scratch.path()}, FolderInUseError);
  // In this process and in another one, which has not inherited the lock.
  EXPECT_THAT(WhyNot(scratch.path()), HasSubstr("in use by process " + std::to_string(::getpid())));
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size());
  EXPECT_THAT(WhyNot(scratch.path()), HasSubstr(std::string(" on ") + host.data()));
  EXPECT_THAT(WhyNot(scratch.path()), HasSubstr(scratch.path().string()));
  ChildProcess other([&] { return WhyNot(scratch.path()).empty() ? 1 : 0; });
  EXPECT_EQ(other.Wait(), 0);
  std::filesystem::resize_file(scratch / "lock", 0);  // the holder has not written its name yet
  EXPECT_THAT(WhyNot(scratch.path()), HasSubstr("in use by another process."));
  run.reset();
  EXPECT_EQ(WhyNot(scratch.path()), "");
}

TEST(RunFolder, IsFreeWhenTheHolderIsKilled) {
  const TemporaryFolder scratch;
  std::array<int, 2> pipe{};
  ASSERT_EQ(::pipe(pipe.data()), 0);
  ChildProcess holder([&] {
    RunFolder run(scratch.path());
    PutBytes(scratch / ".config.textproto.host.1.new", "half");
    if (::write(pipe[1], "x", 1) != 1) return 1;
    ::pause();
    return 0;
  });
  char ready = 0;
  ASSERT_EQ(::read(pipe[0], &ready, 1), 1);
  EXPECT_THAT(WhyNot(scratch.path()), HasSubstr("in use"));
  EXPECT_TRUE(std::filesystem::exists(scratch / ".config.textproto.host.1.new"));
  holder.Kill();
  EXPECT_EQ(WhyNot(scratch.path()), "");
  EXPECT_THAT(scratch.Names(), testing::ElementsAre("lock"));
  ::close(pipe[0]);
  ::close(pipe[1]);
}

// A folder in which a run has left all that a run leaves.
class OlderRunTest : public testing::Test {
 protected:
  OlderRunTest() {
    for (const char* name :
         {"config.textproto", "metrics.jsonl", "checkpoints/step-000000000007.h5"}) {
      scratch_.Write(name, "old");
    }
  }

  std::string Read(const std::string& name) const { return Bytes(scratch_ / name); }

  const TemporaryFolder scratch_;
  const std::filesystem::path anew_ = scratch_ / ".checkpoints.anew";
};

TEST_F(OlderRunTest, GetsAFreeNumberWhenANewOneBegins) {
  std::filesystem::create_directory(scratch_ / "checkpoints.1");
  scratch_.Write("metrics.jsonl.2", "older");
  const RunFolder run(scratch_.path());
  EXPECT_EQ(run.PrepareAnew(), anew_);
  PutBytes(anew_ / "step-000000000005.h5", "new");
  EXPECT_EQ(Read("checkpoints/step-000000000007.h5"), "old");
  EXPECT_THAT(
      run.BeginAnew(),
      testing::ElementsAre(testing::Pair(run.checkpoints(), scratch_ / "checkpoints.3"),
                           testing::Pair(run.metrics(), scratch_ / "metrics.jsonl.3"),
                           testing::Pair(run.configuration(), scratch_ / "config.textproto.3")));
  EXPECT_THAT(scratch_.Names(), testing::ElementsAre("checkpoints", "checkpoints.1",
                                                     "checkpoints.3", "config.textproto.3", "lock",
                                                     "metrics.jsonl.2", "metrics.jsonl.3"));
  EXPECT_EQ(Read("checkpoints/step-000000000005.h5"), "new");
  EXPECT_EQ(Read("checkpoints.3/step-000000000007.h5"), "old");
}

TEST_F(OlderRunTest, StandsWhereTheNewOneNeverBegan) {
  {
    const RunFolder run(scratch_.path());
    run.PrepareAnew();
    PutBytes(anew_ / "step-000000000005.h5", "new");
    PutBytes(anew_ / ".step-000000000006.h5.host.1.new", "half");
  }
  {
    const RunFolder run(scratch_.path());
    EXPECT_THAT(scratch_.Names(),
                testing::ElementsAre("checkpoints", "config.textproto", "lock", "metrics.jsonl"));
  }
  // What is not ours stays.
  scratch_.Write(".checkpoints.anew/notes.txt", "mine");
  const RunFolder run(scratch_.path());
  run.PrepareAnew();
  EXPECT_EQ(Read(".checkpoints.anew/notes.txt"), "mine");
}

TEST_F(OlderRunTest, IsSetAsideToTheEndByTheNextStart) {
  std::filesystem::rename(scratch_ / "checkpoints", scratch_ / "checkpoints.1");
  scratch_.Write(".checkpoints.anew/step-000000000005.h5", "new");
  const RunFolder run(scratch_.path());
  EXPECT_THAT(scratch_.Names(),
              testing::ElementsAre("checkpoints", "checkpoints.1", "config.textproto.1", "lock",
                                   "metrics.jsonl.1"));
  EXPECT_EQ(Read("checkpoints/step-000000000005.h5"), "new");
}

TEST(RunFolder, BeginsAnewWhereThereIsNothing) {
  const TemporaryFolder scratch;
  const RunFolder run(scratch.path());
  for (int i = 0; i < 2; ++i) {  // an empty folder of checkpoints is nothing, too
    run.PrepareAnew();
    EXPECT_THAT(run.BeginAnew(), testing::IsEmpty());
    EXPECT_THAT(scratch.Names(), testing::ElementsAre("checkpoints", "lock"));
  }
}

TEST(RunFolder, SaysWhyItCannotBeCreated) {
  const TemporaryFolder scratch;
  PutBytes(scratch / "file", "");
  EXPECT_THAT(WhyNot(scratch / "file"), HasSubstr("file"));
  EXPECT_THAT(WhyNot(scratch / "file/run"), HasSubstr("Not a directory"));
  ChildProcess nobody([&] {
    if (::geteuid() == 0 && ::setuid(65534) != 0) return 1;  // root may write everywhere
    return WhyNot("/proc/run").empty() ? 2 : 0;
  });
  EXPECT_EQ(nobody.Wait(), 0);
}

TEST(TextFile, ComesBack) {
  const TemporaryFolder scratch;
  const std::string text = std::string("a\nb\0c\xff", 6) + std::string(100000, 'x');
  WriteTextFile(scratch / "a", "old");
  WriteTextFile(scratch / "a", text);
  EXPECT_EQ(ReadTextFile(scratch / "a"), text);
  WriteTextFile(scratch / "a", "");
  EXPECT_EQ(ReadTextFile(scratch / "a"), "");
  EXPECT_THAT(scratch.Names(), testing::ElementsAre("a"));
  EXPECT_THROW(ReadTextFile(scratch / "missing"), InputError);
  EXPECT_THROW(ReadTextFile(scratch.path()), InputError);
  EXPECT_THROW(WriteTextFile(scratch / "missing/a", ""), InputError);
}

}  // namespace
}  // namespace lockstep::io
