// Nothing of anybody else is removed, cut or overwritten, whatever folder a user names.

#include <array>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "io/checkpoints/checkpoint_folder.h"
#include "io/errors.h"
#include "io/files/publish.h"
#include "io/run/metrics_log.h"
#include "io/run/run_folder.h"
#include "io/text/text_files.h"
#include "io/text/text_import.h"
#include "tests/io/file_bytes.h"
#include "tests/io/small_files.h"
#include "tests/io/temporary_folder.h"

namespace lockstep::io {
namespace {

namespace fs = std::filesystem;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

std::string HostName() {
  std::array<char, 256> host{};
  ::gethostname(host.data(), host.size() - 1);
  return host.data();
}

// A process that is dead, so that a leftover of its may go.
pid_t DeadProcess() {
  const pid_t child = ::fork();
  if (child == 0) ::_exit(0);
  ::waitpid(child, nullptr, 0);
  return child;
}

// The error's words; "" when there is none.
template <typename Act>
std::string ErrorOf(const Act& act) {
  try {
    act();
  } catch (const InputError& error) {
    return error.what();
  }
  return "";
}

class StrangersTest : public testing::Test {
 protected:
  TemporaryFolder folder_;
};

TEST_F(StrangersTest, OnlyNamesThatWeWriteAreNamesOfNewFiles) {
  for (const char* ours : {".a.host.12.new", ".corpus.h5.node-1.example.org.4194304.new",
                           ".a.h.12-3.new", ".metrics.jsonl.host.1.new"}) {
    EXPECT_TRUE(IsNewFileName(ours)) << ours;
  }
  for (const char* theirs :
       {"", ".new", "..new", ".notes.new", ".a.12.new", "a.host.12.new", ".a.host.12.newer",
        ".a.host.12.new.txt", ".a.host.0.new", ".a.host.012.new", ".a.host.-12.new",
        ".a.host.+12.new", ".a.host.12x.new", ".a.host.12-.new", ".a.host.12-0.new",
        ".a.host.12-3-4.new", ".a.host.99999999999.new", ".a..12.new", "..host.12.new"}) {
    EXPECT_FALSE(IsNewFileName(theirs)) << theirs;
  }
}

TEST_F(StrangersTest, ARunKeepsWhatElseIsInItsFolder) {
  const std::vector<std::string> theirs = {".notes.new",  // seen to be removed
                                           ".notes.host.12.new",
                                           ".step-000000000010.h5.host.12.new",
                                           ".metrics.jsonl.new", ".metrics.jsonl.host.x.new"};
  for (const std::string& name : theirs) folder_.Write(name, "theirs");
  fs::create_directory(folder_ / ".config.textproto.host.12.new");  // seen to fail the start
  fs::create_symlink("elsewhere", folder_ / ".metrics.jsonl.host.13.new");
  folder_.Write(".metrics.jsonl.a-b.example.org.12.new", "ours");
  folder_.Write(".config.textproto.host.12-3.new", "ours");
  { const RunFolder run(folder_.path()); }
  std::vector<std::string> left = theirs;
  left.insert(left.end(), {".config.textproto.host.12.new", ".metrics.jsonl.host.13.new", "lock"});
  EXPECT_THAT(folder_.Names(), testing::UnorderedElementsAreArray(left));
}

TEST_F(StrangersTest, ACheckpointFolderKeepsWhatElseIsInIt) {
  const std::vector<std::string> theirs = {".notes.new", ".metrics.jsonl.host.12.new",
                                           ".step-10.h5.host.12.new",  // ours have twelve digits
                                           ".best.h5.new"};
  for (const std::string& name : theirs) folder_.Write(name, "theirs");
  fs::create_directory(folder_ / ".best.h5.host.14.new");
  folder_.Write(".step-000000000010.h5.host.12.new", "ours");
  folder_.Write(".step-1234567890123.h5.host.12.new", "ours");
  folder_.Write(".best.h5.host.12.new", "ours");
  CheckpointFolder(folder_.path()).RemoveLeftovers();
  std::vector<std::string> left = theirs;
  left.push_back(".best.h5.host.14.new");
  EXPECT_THAT(folder_.Names(), testing::UnorderedElementsAreArray(left));
}

TEST_F(StrangersTest, ANewFileKeepsWhatIsNotALeftoverOfItsTarget) {
  const std::string stem = ".a." + HostName() + ".";
  const std::string dead = std::to_string(DeadProcess());
  const std::vector<std::string> theirs = {stem + dead + "notes.new", stem + dead + ".b.12.new",
                                           stem + "more." + dead + ".new"};
  for (const std::string& name : theirs) folder_.Write(name, "theirs");
  fs::create_directory(folder_ / (stem + dead + "-1.new"));
  folder_.Write(stem + dead + ".new", "ours");
  folder_.Write(stem + dead + "-2.new", "ours");
  { const NewFile file(folder_ / "a"); }
  std::vector<std::string> left = theirs;
  left.push_back(stem + dead + "-1.new");
  EXPECT_THAT(folder_.Names(), testing::UnorderedElementsAreArray(left));
}

TEST_F(StrangersTest, ANewFileTakesNoPlaceOfADevice) {
  fs::create_directory(folder_ / "d");
  ASSERT_EQ(::mkfifo((folder_ / "pipe").c_str(), 0600), 0);
  EXPECT_THAT(ErrorOf([&] { NewFile(folder_ / "pipe"); }), HasSubstr("device or a pipe"));
  EXPECT_THAT(ErrorOf([&] { NewFile(folder_ / "d"); }), HasSubstr("Is a directory"));
  EXPECT_TRUE(fs::is_fifo(folder_ / "pipe"));
}

TEST_F(StrangersTest, AStepCheckpointHasANameThatWeWrite) {
  for (const int64_t step : {20, 30}) {
    SmallCheckpoint(step).Write(CheckpointFolder(folder_.path()).StepPath(step));
  }
  folder_.Write("step-10.h5", "theirs");
  folder_.Write("step-00000000000010.h5", "theirs");
  EXPECT_THAT(CheckpointFolder(folder_.path()).Prune(1, 30), IsEmpty());
  EXPECT_THAT(folder_.Names(),
              ElementsAre("step-00000000000010.h5", "step-000000000030.h5", "step-10.h5"));
}

TEST_F(StrangersTest, ALockOfAnotherProgramIsNotOverwritten) {
  const fs::path lock = folder_.Write("lock", "a file of mine");
  const std::string error = ErrorOf([&] { const RunFolder run(folder_.path()); });
  EXPECT_THAT(error, HasSubstr(lock.string()));
  EXPECT_THAT(error, HasSubstr("training.folder"));
  EXPECT_EQ(Bytes(lock), "a file of mine");
  folder_.Write("lock", "");
  { const RunFolder run(folder_.path()); }
  EXPECT_THAT(Bytes(lock), testing::StartsWith("process "));
  { const RunFolder again(folder_.path()); }
  PutBytes(lock, std::string(20, '\0'));  // as a power cut may leave it
  { const RunFolder again(folder_.path()); }
}

TEST_F(StrangersTest, MetricsOfAnotherProgramAreNotCut) {
  for (const std::string theirs :
       {"{\"epoch\": 1, \"accuracy\": 0.9}\n", "not even JSON\n", "{\"step\": 3, \"loss\": 1}\n"}) {
    const fs::path path = folder_.Write("metrics.jsonl", theirs);
    const std::string error = ErrorOf([&] { const MetricsLog log(path, 0); });
    EXPECT_THAT(error, HasSubstr(path.string()));
    EXPECT_THAT(error, HasSubstr("training.folder"));
    EXPECT_EQ(Bytes(path), theirs);
  }
  // What a power cut may leave of ours is none of anybody's.
  for (const std::string rest : {"", "{\"st", "{\"step\":1,\"epoch\":1,\"lo"}) {
    const fs::path path = folder_.Write("metrics.jsonl", rest);
    { const MetricsLog log(path, 0); }
    EXPECT_EQ(Bytes(path), "");
  }
}

TEST_F(StrangersTest, AnImportTakesThePlaceOfADatasetOnly) {
  TextImportOptions options;
  options.paths = {folder_.Write("text.txt", "a text to import")};
  options.output = folder_.Write("notes.md", "what I know");
  const std::string error = ErrorOf([&] { ImportText(options); });
  EXPECT_THAT(error, HasSubstr(options.output.string()));
  EXPECT_THAT(error, HasSubstr("--output"));
  EXPECT_EQ(Bytes(options.output), "what I know");
  folder_.Write("notes.md", "");  // as mktemp makes one
  ImportText(options);
  ImportText(options);
  EXPECT_EQ(Dataset::Open(options.output).size_tokens(), 16u);
  EXPECT_THAT(folder_.Names(), ElementsAre("notes.md", "text.txt"));
}

TEST_F(StrangersTest, AHiddenTextIsImported) {
  folder_.Write("texts/.notes.new", "a");
  folder_.Write("texts/.corpus.h5.host.12.new", "half");
  EXPECT_EQ(ListTextFiles({folder_ / "texts"}, folder_ / "out.h5").size(), 1u);
}

}  // namespace
}  // namespace lockstep::io
