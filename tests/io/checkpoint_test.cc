#include "io/checkpoint.h"

#include <algorithm>
#include <bit>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/errors.h"
#include "io/seal.h"
#include "tests/io/file_bytes.h"
#include "tests/io/small_files.h"
#include "tests/io/temporary_folder.h"

namespace lockstep::io {
namespace {

class CheckpointTest : public testing::Test {
 protected:
  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_ / "checkpoint.h5";
};

TEST_F(CheckpointTest, EverythingComesBack) {
  const SmallCheckpoint written(1234567890123);
  written.Write(path_);
  EXPECT_THAT(folder_.Names(), testing::ElementsAre("checkpoint.h5"));
  EXPECT_EQ(VerifyFile(path_).step, 1234567890123);
  const Checkpoint read = ReadCheckpoint(path_);
  EXPECT_EQ(read.header.step, 1234567890123);
  EXPECT_EQ(read.header.configuration, written.header.configuration);
  EXPECT_EQ(read.header.dataset_fingerprint, written.header.dataset_fingerprint);
  EXPECT_TRUE(read.header.vocabulary == written.header.vocabulary);
  EXPECT_EQ(read.header.counters, written.header.counters);
  ASSERT_EQ(read.header.measures.size(), written.header.measures.size());
  for (const auto& [name, value] : written.header.measures) {
    EXPECT_EQ(std::bit_cast<uint64_t>(read.header.measures.at(name)),
              std::bit_cast<uint64_t>(value));
  }
  EXPECT_EQ(read.tensors.size(), written.tensors.size());
  EXPECT_TRUE(std::ranges::is_sorted(read.tensors, {}, &Tensor::name));
  for (const Tensor& tensor : written.tensors) {
    const Tensor* found = read.Find(tensor.name);
    ASSERT_NE(found, nullptr) << tensor.name;
    EXPECT_EQ(found->shape, tensor.shape);
    EXPECT_EQ(found->values, tensor.values);
  }
  EXPECT_EQ(read.Find("missing"), nullptr);
  EXPECT_EQ(read.Find("zzz"), nullptr);
}

TEST_F(CheckpointTest, ACheckpointOfNothingComesBack) {
  WriteCheckpoint(path_, {}, {});
  const Checkpoint read = ReadCheckpoint(path_);
  EXPECT_EQ(read.header.step, 0);
  EXPECT_EQ(read.header.configuration, "");
  EXPECT_EQ(read.header.vocabulary.size(), 0u);
  EXPECT_TRUE(read.header.counters.empty());
  EXPECT_TRUE(read.tensors.empty());
}

TEST_F(CheckpointTest, TheSameContentsGiveTheSameBytes) {
  const SmallCheckpoint checkpoint(5);
  checkpoint.Write(path_);
  const std::string first = Bytes(path_);
  std::vector<TensorView> backwards = checkpoint.Views();
  std::ranges::reverse(backwards);
  // Some of the heap's old contents, which must not reach the file.
  { const std::vector<char> dirt(1 << 22, 'x'); }
  // HDF5's times count seconds; the file's own clock shows that one has passed.
  const auto begin = std::filesystem::last_write_time(path_);
  while (std::filesystem::last_write_time(path_) - begin < std::chrono::milliseconds(1100)) {
    WriteCheckpoint(path_, checkpoint.header, backwards);
    ASSERT_EQ(Bytes(path_), first);
  }
  SmallCheckpoint(6).Write(path_);
  EXPECT_NE(Bytes(path_), first);
}

TEST_F(CheckpointTest, TensorsThatCannotBeStoredAreRefusedBeforeAnythingIsWritten) {
  const std::vector<float> two = {1, 2};
  for (const char* name : {"", "/a", "a/", "a//b", ".", "a/./b", "configuration", "vocabulary/x"}) {
    const TensorView view = {name, {2}, two};
    EXPECT_THROW(WriteCheckpoint(path_, {}, {&view, 1}), std::invalid_argument) << name;
  }
  const std::vector<TensorView> twice = {{"a", {2}, two}, {"a", {2}, two}};
  EXPECT_THROW(WriteCheckpoint(path_, {}, twice), std::invalid_argument);
  const std::vector<TensorView> shape = {{"a", {3}, two}};
  EXPECT_THROW(WriteCheckpoint(path_, {}, shape), std::invalid_argument);
  EXPECT_TRUE(folder_.Names().empty());
}

TEST_F(CheckpointTest, AMissingFolderIsInputError) {
  EXPECT_THROW(SmallCheckpoint(1).Write(folder_ / "missing/a.h5"), InputError);
  EXPECT_THROW(ReadCheckpoint(folder_ / "missing.h5"), InputError);
}

TEST_F(CheckpointTest, ADatasetIsNoCheckpoint) {
  WriteDataset(path_, 100, 4);
  EXPECT_THROW(ReadCheckpoint(path_), InputError);
}

TEST_F(CheckpointTest, ASealOfAnotherStepIsDamage) {
  SmallCheckpoint(5).Write(path_);
  WriteSeal(path_, "lockstep.checkpoint", 1, 6);
  EXPECT_THROW(ReadCheckpoint(path_), DamagedFileError);
}

}  // namespace
}  // namespace lockstep::io
