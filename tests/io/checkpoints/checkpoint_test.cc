#include "io/checkpoints/checkpoint.h"

#include <algorithm>
#include <bit>
#include <fstream>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/errors.h"
#include "io/files/seal.h"
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
}

TEST_F(CheckpointTest, VocabulariesComeBackByTheirNames) {
  CheckpointHeader header;
  header.vocabularies["source"] = Vocabulary(TokenKind::kWord, {"<unk>", "chat", "noir"}, 0, "nfc");
  header.vocabularies["other side"] = Vocabulary(TokenKind::kChar, {"a", "b"}, std::nullopt);
  const std::vector<float> one = {1};
  const TensorView tensor = {"a", {1}, one};
  WriteCheckpoint(path_, header, {&tensor, 1});
  const Checkpoint read = ReadCheckpoint(path_);
  EXPECT_TRUE(read.header.vocabularies == header.vocabularies);
  EXPECT_FALSE(read.header.vocabulary.has_value());
  EXPECT_EQ(read.tensors.size(), 1u);
}

TEST_F(CheckpointTest, AVocabularyWithoutANameIsRefused) {
  for (const char* name : {"", "a/b", "."}) {
    CheckpointHeader header;
    header.vocabularies[name] = Vocabulary(TokenKind::kChar, {"a"}, std::nullopt);
    EXPECT_THROW(WriteCheckpoint(path_, header, {}), std::invalid_argument) << name;
  }
  EXPECT_TRUE(folder_.Names().empty());
}

TEST_F(CheckpointTest, OneTensorIsReadIntoItsPlaceWithoutTheOthers) {
  const SmallCheckpoint written(5);
  written.Write(path_);
  const CheckpointReader reader(path_);
  EXPECT_EQ(reader.path(), path_);
  for (const char* none : {"missing", "state", "configuration", "vocabulary/offsets", ""}) {
    EXPECT_FALSE(reader.Shape(none)) << none;
  }
  EXPECT_EQ(reader.Shape("scalar"), std::vector<uint64_t>());
  EXPECT_EQ(reader.Shape("state/h"), (std::vector<uint64_t>{2, 3, 4}));
  const auto& state = *std::ranges::find(written.tensors, "state/h", &Tensor::name);
  std::vector<float> place(26, -1.0f);
  reader.Read("state/h", std::span(place).subspan(1, 24));
  EXPECT_TRUE(std::ranges::equal(std::span(place).subspan(1, 24), state.values));
  EXPECT_EQ(place.front(), -1.0f);
  EXPECT_EQ(place.back(), -1.0f);
  EXPECT_THROW(reader.Read("state/h", place), std::invalid_argument);
  EXPECT_THROW(reader.Read("missing", place), InputError);
}

// What the seal and the digest of the file did not see, an array's own digest does.
TEST_F(CheckpointTest, AnArrayThatChangesAfterTheFileWasVerifiedIsDamage) {
  SmallCheckpoint(5).Write(path_);
  const CheckpointReader reader(path_);
  const std::string bytes = Bytes(path_);
  const float first = SmallCheckpoint(5).tensors[0].values[0];
  const size_t at = bytes.find(std::string(reinterpret_cast<const char*>(&first), sizeof first));
  ASSERT_NE(at, std::string::npos);
  std::fstream file(path_, std::ios::binary | std::ios::in | std::ios::out);
  file.seekp(static_cast<std::streamoff>(at)).put(static_cast<char>(bytes[at] ^ 1)).flush();
  EXPECT_THROW(ReadTensors(reader), DamagedFileError);
}

TEST_F(CheckpointTest, ACheckpointOfNothingComesBack) {
  WriteCheckpoint(path_, {}, {});
  const Checkpoint read = ReadCheckpoint(path_);
  EXPECT_EQ(read.header.step, 0);
  EXPECT_EQ(read.header.configuration, "");
  EXPECT_FALSE(read.header.vocabulary.has_value());
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
  for (const char* name : {"", "/a", "a/", "a//b", ".", "a/./b", "configuration", "vocabulary/x",
                           "facts", "vocabularies/x/y"}) {
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
  EXPECT_THROW(CheckpointReader(folder_ / "missing.h5"), InputError);
}

TEST_F(CheckpointTest, ADatasetIsNoCheckpoint) {
  WriteDataset(path_, 100, 4);
  EXPECT_THROW(CheckpointReader{path_}, InputError);
}

TEST_F(CheckpointTest, ASealOfAnotherStepIsDamage) {
  SmallCheckpoint(5).Write(path_);
  WriteSeal(path_, "lockstep.checkpoint", 1, 6);
  EXPECT_THROW(CheckpointReader{path_}, DamagedFileError);
}

}  // namespace
}  // namespace lockstep::io
