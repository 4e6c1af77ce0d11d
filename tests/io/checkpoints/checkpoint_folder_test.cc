#include "io/checkpoints/checkpoint_folder.h"

#include <array>
#include <chrono>
#include <set>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/inotify.h>
#include <unistd.h>

#include "io/errors.h"
#include "tests/io/file_bytes.h"
#include "tests/io/small_files.h"
#include "tests/io/temporary_folder.h"

namespace lockstep::io {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

// The names of the files in a folder that are opened while this lives.
class OpenedFiles {
 public:
  explicit OpenedFiles(const std::filesystem::path& folder)
      : notices_(::inotify_init1(IN_CLOEXEC | IN_NONBLOCK)) {
    EXPECT_GE(::inotify_add_watch(notices_, folder.c_str(), IN_OPEN), 0);
  }
  ~OpenedFiles() { ::close(notices_); }
  OpenedFiles(const OpenedFiles&) = delete;
  OpenedFiles& operator=(const OpenedFiles&) = delete;

  /// Since the last call.
  std::set<std::string> Names() {
    std::set<std::string> names;
    alignas(inotify_event) std::array<char, 65536> buffer;
    for (ssize_t got; (got = ::read(notices_, buffer.data(), buffer.size())) > 0;) {
      for (ssize_t at = 0; at < got;) {
        const auto* event = reinterpret_cast<const inotify_event*>(buffer.data() + at);
        if (event->len > 0 && (event->mask & IN_ISDIR) == 0) names.insert(event->name);
        at += static_cast<ssize_t>(sizeof(inotify_event) + event->len);
      }
    }
    return names;
  }

 private:
  const int notices_;
};

class CheckpointFolderTest : public testing::Test {
 protected:
  void Write(int64_t step) { SmallCheckpoint(step).Write(folder_.StepPath(step)); }
  void WriteBest(int64_t step) { SmallCheckpoint(step).Write(folder_.BestPath()); }

  void Damage(const std::filesystem::path& path) {
    std::string bytes = Bytes(path);
    bytes[bytes.size() / 2] = static_cast<char>(bytes[bytes.size() / 2] ^ 1);
    PutBytes(path, bytes);
  }

  // The step that is found, -1 for none; what was passed over goes to passed_over_.
  int64_t Newest() {
    passed_over_.clear();
    int64_t step = -1;
    const auto found = folder_.LoadNewest(
        [&](const CheckpointReader& reader) {
          EXPECT_EQ(ReadTensors(reader).size(), SmallCheckpoint(1).tensors.size());
          step = reader.header().step;
        },
        &passed_over_);
    if (found) path_ = *found;
    return step;
  }

  TemporaryFolder scratch_;
  CheckpointFolder folder_{scratch_.path()};
  std::vector<std::string> passed_over_;
  std::filesystem::path path_;
};

TEST_F(CheckpointFolderTest, NamesSortBySteps) {
  EXPECT_EQ(folder_.StepPath(500), scratch_ / "step-000000000500.h5");
  EXPECT_EQ(folder_.BestPath(), scratch_ / "best.h5");
}

TEST_F(CheckpointFolderTest, FindsNothingWhereThereIsNothing) {
  EXPECT_EQ(Newest(), -1);
  CheckpointFolder missing(scratch_ / "missing");
  EXPECT_FALSE(missing.LoadNewest([](const CheckpointReader&) { FAIL(); }, &passed_over_));
  EXPECT_THAT(missing.Prune(1, 10), IsEmpty());
  missing.RemoveLeftovers();
  EXPECT_THAT(missing.SetAsideBeyond(0), IsEmpty());
  PutBytes(scratch_ / "step-12x.h5", "");
  PutBytes(scratch_ / "notes.txt", "");
  EXPECT_EQ(Newest(), -1);
  EXPECT_THAT(passed_over_, IsEmpty());
}

TEST_F(CheckpointFolderTest, TakesTheHighestStepNotTheYoungestFile) {
  Write(1000);
  Write(999);
  Write(20);
  WriteBest(20);
  EXPECT_EQ(Newest(), 1000);
  EXPECT_THAT(passed_over_, IsEmpty());
  // Beyond the twelve digits of the names, too.
  Write(2000000000000);
  EXPECT_EQ(Newest(), 2000000000000);
}

TEST_F(CheckpointFolderTest, BestCountsWithItsSealedStep) {
  WriteBest(30);
  Write(20);
  EXPECT_EQ(Newest(), 30);
  EXPECT_EQ(path_, folder_.BestPath());
  Write(30);
  EXPECT_EQ(Newest(), 30);
  EXPECT_EQ(path_, folder_.StepPath(30));
}

TEST_F(CheckpointFolderTest, FallsBackOverDamagedFilesAndSaysWhy) {
  for (const int64_t step : {10, 20, 30, 40, 50, 60}) Write(step);
  WriteBest(20);
  Damage(folder_.StepPath(60));
  std::filesystem::resize_file(folder_.StepPath(50), 3000);
  PutBytes(folder_.StepPath(40), "");
  std::filesystem::copy_file(folder_.StepPath(10), folder_.StepPath(30),
                             std::filesystem::copy_options::overwrite_existing);
  std::filesystem::remove(folder_.StepPath(20));
  std::filesystem::create_directory(folder_.StepPath(20));
  EXPECT_EQ(Newest(), 20);
  EXPECT_EQ(path_, folder_.BestPath());
  EXPECT_THAT(passed_over_,
              ElementsAre(testing::AllOf(HasSubstr("step-000000000060.h5"), HasSubstr("digest")),
                          testing::AllOf(HasSubstr("step-000000000050.h5"), HasSubstr("3000")),
                          testing::AllOf(HasSubstr("step-000000000040.h5"), HasSubstr("empty")),
                          testing::AllOf(HasSubstr("step-000000000030.h5"), HasSubstr("step 10")),
                          testing::AllOf(HasSubstr("step-000000000020.h5"), HasSubstr("folder"))));
  PutBytes(folder_.BestPath(), "nothing");
  EXPECT_EQ(Newest(), 10);
  EXPECT_EQ(passed_over_.size(), 5u);  // best.h5, whose step is unknown, comes after step 10
  Damage(folder_.StepPath(10));
  EXPECT_EQ(Newest(), -1);
  EXPECT_EQ(passed_over_.size(), 7u);
}

TEST_F(CheckpointFolderTest, PruneKeepsTheNewestWholeOnesAndTheBest) {
  for (const int64_t step : {10, 20, 30, 40, 50}) Write(step);
  WriteBest(10);
  Damage(folder_.StepPath(40));
  Damage(folder_.StepPath(20));
  EXPECT_THAT(folder_.Prune(2, 50), IsEmpty());
  EXPECT_THAT(scratch_.Names(), ElementsAre("best.h5", "step-000000000030.h5",
                                            "step-000000000040.h5", "step-000000000050.h5"));
  EXPECT_THAT(folder_.Prune(3, 50), IsEmpty());
  EXPECT_EQ(scratch_.Names().size(), 4u);
  EXPECT_THROW(folder_.Prune(0, 50), std::invalid_argument);
}

// An array may turn out damaged, or become unreadable, after the file was verified.
TEST_F(CheckpointFolderTest, FallsBackWhenLoadingFails) {
  for (const int64_t step : {10, 20, 30}) Write(step);
  std::vector<int64_t> loaded;
  const auto found = folder_.LoadNewest(
      [&](const CheckpointReader& reader) {
        loaded.push_back(reader.header().step);
        if (loaded.size() == 1) throw DamagedFileError("an array");
        if (loaded.size() == 2) throw SystemError("the disk");
      },
      &passed_over_);
  EXPECT_EQ(found, folder_.StepPath(10));
  EXPECT_THAT(loaded, ElementsAre(30, 20, 10));
  EXPECT_THAT(passed_over_, ElementsAre("an array", "the disk"));
  // Anything else is for the caller.
  EXPECT_THROW(folder_.LoadNewest([](const auto&) { throw std::runtime_error("another model"); },
                                  &passed_over_),
               std::runtime_error);
}

// However many are kept: a start must not read them all.
TEST_F(CheckpointFolderTest, PruneReadsNothingWhenNothingIsToGo) {
  for (int64_t step = 1; step <= 20; ++step) Write(step);
  Damage(folder_.StepPath(7));
  OpenedFiles opened(scratch_.path());
  EXPECT_THAT(folder_.Prune(20, 20), IsEmpty());
  EXPECT_THAT(folder_.Prune(1000, 20), IsEmpty());
  EXPECT_THAT(opened.Names(), IsEmpty());
  EXPECT_EQ(scratch_.Names().size(), 20u);
  // The last good one is the one that was just written.
  EXPECT_THAT(folder_.Prune(1, 20), IsEmpty());
  EXPECT_THAT(opened.Names(), IsEmpty());
  EXPECT_THAT(scratch_.Names(), ElementsAre("step-000000000020.h5"));
}

TEST_F(CheckpointFolderTest, PruneReadsFewFilesForADeletionAndNoneTwice) {
  constexpr int kKeep = 12;
  for (int64_t step = 1; step <= kKeep; ++step) Write(step);
  std::set<std::string> all;
  for (int64_t step = kKeep + 1; step <= 3 * kKeep; ++step) {
    Write(step);
    OpenedFiles opened(scratch_.path());
    EXPECT_THAT(folder_.Prune(kKeep, step), IsEmpty());
    EXPECT_FALSE(std::filesystem::exists(folder_.StepPath(step - kKeep)));
    EXPECT_TRUE(std::filesystem::exists(folder_.StepPath(step - kKeep + 1)));
    const std::set<std::string> names = opened.Names();
    EXPECT_LE(names.size(), 4u);
    for (const std::string& name : names) EXPECT_TRUE(all.insert(name).second) << name;
  }
  EXPECT_THAT(all, testing::SizeIs(kKeep - 1)) << "all but the first that went";
}

// Whatever is damaged when a job starts: what stays holds the newest and an older whole one at any
// time, and as many whole ones as it should when it has come round.
TEST_F(CheckpointFolderTest, PruneKeepsAnOlderWholeOneWhateverIsDamaged) {
  constexpr int kKeep = 9;
  constexpr int64_t kOld = 14;
  for (const std::set<int64_t>& damaged : {std::set<int64_t>{10},
                                           {5, 6, 7},
                                           {6, 8, 10, 12, 14},
                                           {8, 9, 10, 11, 12, 13, 14},
                                           {5, 14}}) {
    CheckpointFolder folder(scratch_.path());
    std::set<int64_t> whole;
    for (int64_t step = 1; step <= kOld; ++step) {
      Write(step);
      damaged.contains(step) ? Damage(folder_.StepPath(step)) : void(whole.insert(step));
    }
    for (int64_t step = kOld + 1; step <= kOld + 4; ++step) {
      Write(step);
      whole.insert(step);
      EXPECT_THAT(folder.Prune(kKeep, step), IsEmpty());
      std::set<int64_t> left;
      for (int64_t at = 1; at <= step; ++at) {
        if (std::filesystem::exists(folder_.StepPath(at))) left.insert(at);
      }
      EXPECT_TRUE(left.contains(step));
      EXPECT_TRUE(whole.contains(*left.begin())) << *left.begin();
      std::erase_if(whole, [&](int64_t at) { return !left.contains(at); });
      EXPECT_GE(whole.size(), kKeep - damaged.size());
    }
    EXPECT_LE(whole.size(), size_t{kKeep});
    for (const std::string& name : scratch_.Names()) std::filesystem::remove(scratch_ / name);
  }
}

// A file under another step's name, or of another format, is no checkpoint to fall back to.
TEST_F(CheckpointFolderTest, PruneCountsOnlyWhatALoadWouldTake) {
  for (const int64_t step : {10, 30}) Write(step);
  std::filesystem::copy_file(folder_.StepPath(10), folder_.StepPath(20));
  WriteDataset(folder_.StepPath(25), 10, 4);
  EXPECT_THAT(folder_.Prune(2, 30), IsEmpty());
  EXPECT_TRUE(std::filesystem::exists(folder_.StepPath(10)));
  EXPECT_EQ(Newest(), 30);
}

// What lies beyond the newest does not count and is not touched, whole or not.
TEST_F(CheckpointFolderTest, PruneNeverRemovesWhatWasJustWritten) {
  for (const int64_t step : {10, 20, 1000}) Write(step);
  EXPECT_THAT(folder_.Prune(1, 20), IsEmpty());
  EXPECT_THAT(scratch_.Names(), ElementsAre("step-000000000020.h5", "step-000000001000.h5"));
}

// A file that was seen whole is read again when it has been written again.
TEST_F(CheckpointFolderTest, PruneSeesAFileThatHasChangedSinceItWasSeen) {
  for (const int64_t step : {10, 20, 30}) Write(step);
  EXPECT_THAT(folder_.Prune(2, 30), IsEmpty());
  Write(10);
  Write(40);
  for (const int64_t step : {20, 30}) {
    Damage(folder_.StepPath(step));
    std::filesystem::last_write_time(
        folder_.StepPath(step),
        std::filesystem::file_time_type::clock::now() + std::chrono::hours(1));
  }
  EXPECT_THAT(folder_.Prune(2, 40), IsEmpty());
  EXPECT_TRUE(std::filesystem::exists(folder_.StepPath(10)));
}

TEST_F(CheckpointFolderTest, PruneReportsWhatItCannotRemove) {
  for (const int64_t step : {20, 30}) Write(step);
  std::filesystem::create_directory(folder_.StepPath(10));
  EXPECT_THAT(folder_.Prune(1, 30), ElementsAre(HasSubstr("step-000000000010.h5")));
  EXPECT_THAT(scratch_.Names(), ElementsAre("step-000000000010.h5", "step-000000000030.h5"));
}

TEST_F(CheckpointFolderTest, RemovesLeftoversAndSetsAsideWhatLiesBeyond) {
  for (const int64_t step : {10, 20, 30}) Write(step);
  WriteBest(30);
  PutBytes(scratch_ / ".step-000000000040.h5.host.1.new", "half");
  folder_.RemoveLeftovers();
  EXPECT_THAT(folder_.SetAsideBeyond(20),
              ElementsAre(scratch_ / "step-000000000030.h5.passed-over"));
  Write(30);
  EXPECT_THAT(folder_.SetAsideBeyond(20),
              ElementsAre(scratch_ / "step-000000000030.h5.passed-over-2"));
  EXPECT_THAT(
      scratch_.Names(),
      ElementsAre("best.h5", "step-000000000010.h5", "step-000000000020.h5",
                  "step-000000000030.h5.passed-over", "step-000000000030.h5.passed-over-2"));
}

}  // namespace
}  // namespace lockstep::io
