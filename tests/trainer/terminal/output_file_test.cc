#include "trainer/terminal/output_file.h"

#include <fcntl.h>
#include <gtest/gtest.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/errors.h"
#include "tests/io/file_bytes.h"
#include "tests/io/temporary_folder.h"

namespace lockstep::trainer {
namespace {

namespace fs = std::filesystem;

class OutputFileTest : public ::testing::Test {
 protected:
  io::TemporaryFolder folder_;
};

TEST_F(OutputFileTest, AppearsWholeOrNotAtAll) {
  const fs::path path = folder_.Write("a.csv", "old");
  {
    OutputFile file(path);
    file.Write("new ");
    file.Write("bytes");
    EXPECT_EQ(io::Bytes(path), "old");
  }
  EXPECT_EQ(io::Bytes(path), "old");
  EXPECT_EQ(folder_.Names(), std::vector<std::string>{"a.csv"});
  OutputFile file(path);
  file.Write("new ");
  file.Write("bytes");
  file.Finish();
  EXPECT_EQ(io::Bytes(path), "new bytes");
  EXPECT_EQ(folder_.Names(), std::vector<std::string>{"a.csv"});
}

TEST_F(OutputFileTest, LinksStay) {
  folder_.Write("b/real.csv", "old");
  fs::create_symlink("b/real.csv", folder_ / "link");
  fs::create_symlink("link", folder_ / "second");
  fs::create_symlink("b/nothing.csv", folder_ / "dangling");
  for (const char* name : {"second", "dangling"}) {
    OutputFile file(folder_ / name);
    file.Write(name);
    file.Finish();
    EXPECT_TRUE(fs::is_symlink(folder_ / name));
  }
  EXPECT_TRUE(fs::is_symlink(folder_ / "link"));
  EXPECT_EQ(io::Bytes(folder_ / "b/real.csv"), "second");
  EXPECT_EQ(io::Bytes(folder_ / "b/nothing.csv"), "dangling");
}

TEST_F(OutputFileTest, DevicesPipesAndOpenFilesAreWritten) {
  int ends[2];
  ASSERT_EQ(pipe(ends), 0);
  OutputFile pipe("/proc/self/fd/" + std::to_string(ends[1]));
  pipe.Write("through");
  pipe.Finish();
  char text[16] = {};
  EXPECT_EQ(read(ends[0], text, sizeof text), 7);
  EXPECT_STREQ(text, "through");
  close(ends[0]);
  close(ends[1]);

  // As the shell's >> leaves standard output: what stands there stays.
  const fs::path path = folder_.Write("out", "before ");
  const int descriptor = open(path.c_str(), O_WRONLY | O_APPEND);
  OutputFile file("/proc/self/fd/" + std::to_string(descriptor));
  file.Write("behind");
  file.Finish();
  close(descriptor);
  EXPECT_EQ(io::Bytes(path), "before behind");
}

TEST_F(OutputFileTest, Errors) {
  EXPECT_THROW(OutputFile(folder_ / "none/a.csv"), io::InputError);
  EXPECT_THROW(OutputFile(folder_.path()), io::InputError);
  OutputFile full("/dev/full");
  EXPECT_THROW(full.Write("x"), io::SystemError);
}

}  // namespace
}  // namespace lockstep::trainer
