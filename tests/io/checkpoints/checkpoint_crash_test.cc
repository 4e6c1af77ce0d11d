// What a killed or failing writer leaves behind.

#include <algorithm>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <signal.h>
#include <sys/resource.h>

#include "io/checkpoints/checkpoint_folder.h"
#include "io/errors.h"
#include "tests/io/child_process.h"
#include "tests/io/file_bytes.h"
#include "tests/io/small_files.h"
#include "tests/io/temporary_folder.h"

namespace lockstep::io {
namespace {

using testing::ElementsAre;

constexpr int kKills = 30;

// Descriptors of this process that lead to files that have been removed: they would hold the disk's
// space.
int OpenRemovedFiles() {
  int count = 0;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const std::string target = std::filesystem::read_symlink(entry.path(), gone).string();
    if (target.ends_with(".new (deleted)")) ++count;
  }
  return count;
}

bool IsWhole(const Checkpoint& read) {
  const SmallCheckpoint meant(read.header.step, 300);
  if (read.tensors.size() != meant.tensors.size()) return false;
  for (const Tensor& tensor : meant.tensors) {
    const Tensor* found = read.Find(tensor.name);
    if (found == nullptr || found->values != tensor.values) return false;
  }
  return true;
}

// Writes step after step, and the best beside them, until it is killed.
int WriteForEver(CheckpointFolder folder, int64_t step) {
  for (;; ++step) {
    const SmallCheckpoint checkpoint(step, 300);
    checkpoint.Write(folder.StepPath(step));
    checkpoint.Write(folder.BestPath());
    folder.Prune(2, step);
  }
}

// True when a file that is being written has come that far.
bool IsBeingWritten(const TemporaryFolder& folder, uint64_t size_bytes) {
  for (const std::string& name : folder.Names()) {
    std::error_code gone;
    if (!name.ends_with(".new")) continue;
    const uint64_t size = std::filesystem::file_size(folder / name, gone);
    if (!gone && size >= size_bytes) return true;
  }
  return false;
}

// True when there is a file of this step or a later one.
bool HasStep(const TemporaryFolder& scratch, const CheckpointFolder& folder, int64_t step) {
  const std::string first = folder.StepPath(step).filename().string();
  return std::ranges::any_of(scratch.Names(), [&](const std::string& name) {
    return name.starts_with("step-") && name >= first;
  });
}

TEST(CheckpointCrash, KilledAtAnyMomentTheFolderHoldsAWholeOne) {
  const TemporaryFolder scratch;
  const CheckpointFolder folder(scratch.path());
  SmallCheckpoint(1, 300).Write(folder.StepPath(1));
  const uint64_t size_bytes = std::filesystem::file_size(folder.StepPath(1));
  int64_t newest = 1;
  int interrupted = 0;
  for (int kill = 0; kill < kKills; ++kill) {
    ChildProcess writer([&] { return WriteForEver(folder, newest + 1); });
    // From the first byte of a file to the last (then come comparing, sealing, syncing), in the
    // first step or later.
    const int64_t first = newest + kill % 3;
    const uint64_t begun_bytes = size_bytes * static_cast<uint64_t>(kill) / (kKills - 1);
    while (!HasStep(scratch, folder, first)) {
    }
    while (!IsBeingWritten(scratch, begun_bytes) && !HasStep(scratch, folder, first + 3)) {
    }
    writer.Kill();
    interrupted += IsBeingWritten(scratch, 0) ? 1 : 0;
    std::vector<std::string> passed_over;
    Checkpoint found;
    ASSERT_TRUE(folder.LoadNewest(
        [&](const CheckpointReader& reader) {
          found = {reader.header(), ReadTensors(reader)};
        },
        &passed_over));
    EXPECT_THAT(passed_over, testing::IsEmpty());
    EXPECT_GE(found.header.step, newest);
    EXPECT_TRUE(IsWhole(found));
    newest = found.header.step;
    folder.RemoveLeftovers();
  }
  EXPECT_GT(newest, 1);
  EXPECT_GT(interrupted, 0) << "no kill hit a write: this test has seen nothing";
}

// A limit on the size of files stands in for a full disk: EFBIG in place of ENOSPC.
int WriteUnderLimit(const std::filesystem::path& path, rlim_t limit_bytes) {
  ::signal(SIGXFSZ, SIG_IGN);
  rlimit old{};
  ::getrlimit(RLIMIT_FSIZE, &old);
  const rlimit limit = {limit_bytes, old.rlim_max};
  ::setrlimit(RLIMIT_FSIZE, &limit);
  const SmallCheckpoint checkpoint(2, 300);
  int result = 1;
  try {
    checkpoint.Write(path);
  } catch (const SystemError& error) {
    const std::string message = error.what();
    const bool names_path = message.find(path.string()) != std::string::npos;
    result = names_path && message.find("start again") != std::string::npos ? 0 : 2;
  }
  if (OpenRemovedFiles() != 0) return 3;
  // Once there is room, the same process can write again.
  ::setrlimit(RLIMIT_FSIZE, &old);
  checkpoint.Write(path.parent_path() / "again.h5");
  return IsWhole(ReadCheckpoint(path.parent_path() / "again.h5")) ? result : 4;
}

TEST(CheckpointCrash, AFullDiskKeepsTheOldFileAndLeavesNothing) {
  const TemporaryFolder scratch;
  const auto path = scratch / "a.h5";
  SmallCheckpoint(1, 300).Write(path);
  const std::string old = Bytes(path);
  // From nothing at all to almost everything.
  for (const size_t limit : {size_t{0}, size_t{100}, size_t{600}, size_t{2000}, size_t{9000},
                             size_t{100000}, old.size() / 2, old.size() - 5000, old.size() - 1}) {
    ChildProcess writer([&] { return WriteUnderLimit(path, limit); });
    EXPECT_EQ(writer.Wait(), 0) << limit;
    EXPECT_EQ(Bytes(path), old);
    EXPECT_THAT(scratch.Names(), ElementsAre("a.h5", "again.h5"));
    std::filesystem::remove(scratch / "again.h5");
  }
}

TEST(CheckpointCrash, AFullDiskIsSeenWhileADatasetIsAppended) {
  const TemporaryFolder scratch;
  ChildProcess writer([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit limit = {1000000, 1000000};
    ::setrlimit(RLIMIT_FSIZE, &limit);
    try {
      WriteDataset(scratch / "corpus.h5", 4000000, 200);
    } catch (const SystemError& error) {
      return std::string(error.what()).find("File too large") != std::string::npos ? 0 : 2;
    }
    return 1;
  });
  EXPECT_EQ(writer.Wait(), 0);
  EXPECT_THAT(scratch.Names(), testing::IsEmpty());
}

}  // namespace
}  // namespace lockstep::io
