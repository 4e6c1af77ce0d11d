#include "io/text/text_files.h"

#include <cstdlib>

#include <gmock/gmock.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/errors.h"
#include "io/text/text_file_reader.h"
#include "tests/io/temporary_folder.h"

namespace lockstep::io {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::ThrowsMessage;

namespace fs = std::filesystem;

/// The listed paths, relative to the folder.
std::vector<std::string> List(const TemporaryFolder& folder, const std::vector<fs::path>& paths,
                              const fs::path& output = {}) {
  std::vector<std::string> names;
  for (const TextFile& file : ListTextFiles(paths, output)) {
    names.push_back(fs::path(file.path).lexically_relative(folder.path()).string());
  }
  return names;
}

/// Gives up the rights of root for as long as it lives: root may read everything.
class OrdinaryUser {
 public:
  OrdinaryUser() : user_(::geteuid()) {
    if (user_ == 0 && ::seteuid(65534) != 0) throw std::runtime_error("seteuid failed");
  }
  ~OrdinaryUser() {
    if (::seteuid(user_) != 0) std::abort();
  }

 private:
  uid_t user_;
};

TEST(TextFilesTest, FoldersAreWalkedInTheByteOrderOfPaths) {
  const TemporaryFolder folder;
  for (const char* name : {"t/b.txt", "t/a/z.txt", "t/a.txt", "t/B.txt", "t/a/k/1", "t/\xE4.txt"}) {
    folder.Write(name, "x");
  }
  // '.' comes before '/', capitals before small letters, bytes above 127 last.
  EXPECT_THAT(List(folder, {folder / "t"}),
              ElementsAre("t/B.txt", "t/a.txt", "t/a/k/1", "t/a/z.txt", "t/b.txt", "t/\xE4.txt"));
}

TEST(TextFilesTest, ArgumentsKeepTheirOrderAndMayRepeat) {
  const TemporaryFolder folder;
  const fs::path one = folder.Write("1.txt", "x");
  const fs::path two = folder.Write("2.txt", "x");
  EXPECT_THAT(List(folder, {two, one, two}), ElementsAre("2.txt", "1.txt", "2.txt"));
}

TEST(TextFilesTest, LinksToFilesAreFollowedAndLinksToFoldersAreNot) {
  const TemporaryFolder folder;
  folder.Write("t/real.txt", "x");
  folder.Write("elsewhere/other.txt", "x");
  fs::create_symlink(folder / "elsewhere/other.txt", folder / "t/link.txt");
  fs::create_directory_symlink(folder / "t", folder / "t/loop");
  fs::create_symlink(folder / "nothing", folder / "t/dangling");
  EXPECT_THAT(List(folder, {folder / "t"}), ElementsAre("t/link.txt", "t/real.txt"));
  fs::create_directory_symlink(folder / "t", folder / "named");
  EXPECT_THAT(ListTextFiles({folder / "named"}, {}), testing::SizeIs(2));
}

// The start of a dataset: the seal, and the HDF5 file behind it.
const std::string kFileOfOurs = "LOCKSTEP" + std::string(504, '\0') + "\x89HDF\r\n\x1a\n";

TEST(TextFilesTest, TheOutputAndWhatIsNoFileAreLeftOut) {
  const TemporaryFolder folder;
  const fs::path output = folder.Write("t/corpus.h5", kFileOfOurs);
  folder.Write("t/.corpus.h5.host.12.new", "x");
  folder.Write("t/a.txt", "x");
  ASSERT_EQ(::mkfifo((folder / "t/pipe").c_str(), 0600), 0);
  EXPECT_THAT(List(folder, {folder / "t", output}, folder / "t/../t/corpus.h5"),
              ElementsAre("t/a.txt"));
  EXPECT_THAT(List(folder, {output}, output), IsEmpty());
}

TEST(TextFilesTest, ATextAtThePlaceOfTheOutputIsNotOverwritten) {
  const TemporaryFolder folder;
  const fs::path text = folder.Write("t/a.txt", "x");
  for (const fs::path& path : {text, folder / "t"}) {
    EXPECT_THAT([&] { ListTextFiles({path}, text); },
                ThrowsMessage<InputError>(AllOf(HasSubstr("a.txt"), HasSubstr("--output"))));
  }
}

TEST(TextFilesTest, AnotherFileOfOursIsNoText) {
  const TemporaryFolder folder;
  folder.Write("t/a.txt", "x");
  folder.Write("t/title.txt", "LOCKSTEP\nA novel");
  EXPECT_EQ(ListTextFiles({folder / "t"}, folder / "t/corpus.h5").size(), 2u);
  folder.Write("t/words.h5", kFileOfOurs);
  EXPECT_THAT([&] { ListTextFiles({folder / "t"}, folder / "t/corpus.h5"); },
              ThrowsMessage<InputError>(AllOf(HasSubstr("words.h5"), HasSubstr("not a text"))));
}

TEST(TextFilesTest, WrongPathsAreNamed) {
  const TemporaryFolder folder;
  EXPECT_THAT([&] { ListTextFiles({folder / "missing.txt"}, {}); },
              ThrowsMessage<InputError>(HasSubstr("missing.txt")));
  ASSERT_EQ(::mkfifo((folder / "pipe").c_str(), 0600), 0);
  EXPECT_THAT([&] { ListTextFiles({folder / "pipe"}, {}); },
              ThrowsMessage<InputError>(HasSubstr("pipe")));
  fs::create_symlink("circle", folder / "circle");
  EXPECT_THAT([&] { ListTextFiles({folder / "circle"}, {}); },
              ThrowsMessage<InputError>(HasSubstr("circle")));
}

TEST(TextFilesTest, WhatMayNotBeReadIsNamed) {
  const TemporaryFolder folder;
  fs::permissions(folder.path(), fs::perms::all);
  folder.Write("t/closed/a.txt", "x");
  const fs::path file = folder.Write("secret.txt", "x");
  const TextFile listed = ListTextFiles({file}, {}).at(0);
  fs::permissions(folder / "t/closed", fs::perms::none);
  fs::permissions(file, fs::perms::none);
  {
    const OrdinaryUser user;
    EXPECT_THAT([&] { ListTextFiles({folder / "t"}, {}); },
                ThrowsMessage<InputError>(HasSubstr("t/closed")));
    EXPECT_THAT([&] { ListTextFiles({file}, {}); },
                ThrowsMessage<InputError>(HasSubstr("secret.txt")));
    EXPECT_THAT([&] { TextFileReader reader(listed); },
                ThrowsMessage<InputError>(HasSubstr("secret.txt")));
  }
  fs::permissions(folder / "t/closed", fs::perms::owner_all);
}

TEST(TextFileReaderTest, ReadsTheFileInBlocks) {
  const TemporaryFolder folder;
  const TextFile file = ListTextFiles({folder.Write("a.txt", "abcdefgh")}, {}).at(0);
  EXPECT_EQ(file.bytes, 8u);
  TextFileReader reader(file);
  std::vector<char> block(3);
  EXPECT_EQ(reader.Read(block), "abc");
  EXPECT_EQ(reader.Read(block), "def");
  EXPECT_EQ(reader.Read(block), "gh");
  EXPECT_EQ(reader.Read(block), "");
}

TEST(TextFileReaderTest, SeesThatTheFileChangedBeforeItWasOpened) {
  const TemporaryFolder folder;
  const fs::path path = folder.Write("a.txt", "abc");
  const TextFile file = ListTextFiles({path}, {}).at(0);
  const auto written = fs::last_write_time(path);
  const auto open = [&] { TextFileReader reader(file); };
  const auto changed = ThrowsMessage<InputError>(HasSubstr("a.txt changed"));
  EXPECT_NO_THROW(open());
  fs::last_write_time(path, written + std::chrono::seconds(1));
  EXPECT_THAT(open, changed) << "time";
  folder.Write("a.txt", "abcd");
  fs::last_write_time(path, written);
  EXPECT_THAT(open, changed) << "size";
  folder.Write("b.txt", "abc");
  fs::rename(folder / "b.txt", path);
  fs::last_write_time(path, written);
  EXPECT_THAT(open, changed) << "another file of the same size and time";
}

TEST(TextFileReaderTest, SeesThatTheFileChangedWhileItWasRead) {
  const TemporaryFolder folder;
  const fs::path path = folder.Write("a.txt", "abcdef");
  const TextFile file = ListTextFiles({path}, {}).at(0);
  std::vector<char> block(4);
  {
    TextFileReader reader(file);
    EXPECT_EQ(reader.Read(block), "abcd");
    fs::resize_file(path, 5);
    EXPECT_THAT([&] { reader.Read(block); }, ThrowsMessage<InputError>(HasSubstr("changed")));
  }
}

}  // namespace
}  // namespace lockstep::io
