#include "io/files/publish.h"

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

using testing::ElementsAre;
using testing::HasSubstr;
using testing::UnorderedElementsAre;

TEST(NewFile, AppearsUnderItsNameOnlyWhenPublished) {
  const TemporaryFolder folder;
  PutBytes(folder / "a", "old");
  {
    NewFile file(folder / "a");
    EXPECT_EQ(file.path().parent_path(), folder.path());
    const std::string name = file.path().filename().string();
    EXPECT_THAT(name, testing::StartsWith(".a."));
    EXPECT_THAT(name, testing::EndsWith(".new"));
    file.Append("new ");
    file.Append("bytes");
    EXPECT_EQ(Bytes(folder / "a"), "old");
    file.Publish();
  }
  EXPECT_EQ(Bytes(folder / "a"), "new bytes");
  EXPECT_THAT(folder.Names(), ElementsAre("a"));
}

TEST(NewFile, IsRemovedWhenItIsNotPublished) {
  const TemporaryFolder folder;
  PutBytes(folder / "a", "old");
  { NewFile(folder / "a").Append("new"); }
  EXPECT_THAT(folder.Names(), ElementsAre("a"));
  EXPECT_EQ(Bytes(folder / "a"), "old");
}

TEST(NewFile, TwoForOneTargetDoNotMeet) {
  const TemporaryFolder folder;
  NewFile first(folder / "a");
  NewFile second(folder / "a");
  first.Append("first");
  second.Append("second");
  second.Publish();
  first.Publish();
  EXPECT_EQ(Bytes(folder / "a"), "first");
}

TEST(PublishLink, GivesAFileASecondNameInPlaceOfAnother) {
  const TemporaryFolder folder;
  PutBytes(folder / "best", "new");
  PutBytes(folder / "step", "old");
  // What a process with our number left.
  std::optional<NewFile> leftover(std::in_place, folder / "step");
  for (int time = 0; time < 2; ++time) {  // the second time it is that file already
    EXPECT_TRUE(PublishLink(folder / "best", folder / "step"));
    EXPECT_EQ(Bytes(folder / "step"), "new");
    EXPECT_TRUE(std::filesystem::equivalent(folder / "best", folder / "step"));
    EXPECT_THAT(folder.Names(), UnorderedElementsAre("best", "step"));
  }
  // A file that takes the first name leaves the second alone.
  NewFile next(folder / "best");
  next.Append("newest");
  next.Publish();
  EXPECT_EQ(Bytes(folder / "step"), "new");
}

TEST(PublishLink, ThatCannotBeMadeChangesNothing) {
  const TemporaryFolder folder;
  PutBytes(folder / "step", "old");
  EXPECT_FALSE(PublishLink(folder / "missing", folder / "step"));
  // procfs knows no links to its files from elsewhere, as a file system without any.
  EXPECT_FALSE(PublishLink("/proc/version", folder / "step"));
  EXPECT_EQ(Bytes(folder / "step"), "old");
  EXPECT_THAT(folder.Names(), ElementsAre("step"));
}

TEST(NewFile, RemovesWhatADeadProcessLeftAndNothingElse) {
  const TemporaryFolder folder;
  std::optional<NewFile> ours(std::in_place, folder / "a");
  const std::string our_name = ours->path().filename().string();
  ChildProcess dead([&] {
    NewFile a(folder / "a");
    NewFile b(folder / "b");
    ::_exit(0);  // without their destructors
    return 1;
  });
  ASSERT_EQ(dead.Wait(), 0);
  ASSERT_EQ(folder.Names().size(), 3u);
  NewFile another(folder / "a");
  EXPECT_THAT(folder.Names(), UnorderedElementsAre(our_name, another.path().filename().string(),
                                                   testing::StartsWith(".b.")));
  PutBytes(folder / "kept.new", "");  // no name of ours
  RemoveNewFiles(folder.path(), [](std::string_view name) { return name == "a" || name == "b"; });
  EXPECT_THAT(folder.Names(), ElementsAre("kept.new"));
}

TEST(NewFile, SaysWhatIsWrongWithThePlace) {
  const TemporaryFolder folder;
  PutBytes(folder / "file", "");
  for (const auto& [target, words] :
       {std::pair(folder / "missing/a", "No such file"), std::pair(folder / "file/a", "Not a dir"),
        std::pair(folder.path(), "Is a directory")}) {
    try {
      NewFile file(target);
      FAIL() << target;
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr(target.string()));
      EXPECT_THAT(error.what(), HasSubstr(words));
    }
  }
}

TEST(NewFile, NoRightToWriteIsInputError) {
  const TemporaryFolder folder;
  std::filesystem::permissions(
      folder.path(), std::filesystem::perms::owner_read | std::filesystem::perms::owner_exec |
                         std::filesystem::perms::others_read | std::filesystem::perms::others_exec);
  ChildProcess child([&] {
    if (::geteuid() == 0 && ::setuid(65534) != 0) return 1;  // root may write everywhere
    try {
      NewFile file(folder / "a");
    } catch (const InputError& error) {
      return std::string(error.what()).find("Permission denied") != std::string::npos ? 0 : 2;
    }
    return 3;
  });
  EXPECT_EQ(child.Wait(), 0);
}

TEST(NewFile, AFullDiskIsSystemErrorWithTheSystemsWords) {
  try {
    ThrowWriteFailure("/some/file", ENOSPC);
  } catch (const SystemError& error) {
    EXPECT_THAT(error.what(), HasSubstr("/some/file"));
    EXPECT_THAT(error.what(), HasSubstr("No space left on device"));
    EXPECT_THAT(error.what(), HasSubstr("Make room"));
  }
}

}  // namespace
}  // namespace lockstep::io
