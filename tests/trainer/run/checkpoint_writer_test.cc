#include "trainer/run/checkpoint_writer.h"

#include <filesystem>
#include <memory>
#include <stdexcept>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/io/temporary_folder.h"
#include "tests/io/whole_checkpoint.h"

namespace lockstep::trainer {
namespace {

using Mode = CheckpointWriter::Mode;

/// A training of one tensor, which counts its steps.
class CheckpointWriterTest : public testing::Test {
 protected:
  /// Starts a save of step `step`, and changes the tensor at once.
  void Begin(int64_t step, const CheckpointWriter::Names& names, Mode mode = Mode::kBackground) {
    values_.assign(1 << 20, static_cast<float>(step));
    io::CheckpointHeader header;
    header.step = step;
    header.configuration = "none";
    writer_->Begin(names, header, {{"parameters/w", {values_.size()}, values_}}, mode);
    values_.assign(1 << 20, -1.0f);
  }

  void ExpectHolds(const std::filesystem::path& path, int64_t step) {
    const io::Checkpoint checkpoint = io::ReadCheckpoint(path);
    EXPECT_EQ(checkpoint.header.step, step);
    ASSERT_NE(checkpoint.Find("parameters/w"), nullptr);
    EXPECT_THAT(checkpoint.Find("parameters/w")->values, testing::Each(static_cast<float>(step)));
  }

  void CreateFolder() { std::filesystem::create_directory(folder_ / "checkpoints"); }

  io::TemporaryFolder folder_;
  io::CheckpointFolder checkpoints_{folder_ / "checkpoints"};
  std::vector<float> values_;
  std::unique_ptr<CheckpointWriter> writer_ = std::make_unique<CheckpointWriter>(checkpoints_, 2);
};

TEST_F(CheckpointWriterTest, WritesWhatWasThereAtBegin) {
  CreateFolder();
  for (const Mode mode : {Mode::kBackground, Mode::kAtOnce}) {
    for (int64_t step = 1; step < 4; ++step) {
      Begin(step, {.step = true, .prunes = true}, mode);
      writer_->Wait();
      EXPECT_FALSE(writer_->has_ended()) << "there is none under way";
      EXPECT_TRUE(writer_->written().step);
      EXPECT_FALSE(writer_->written().best);
      ExpectHolds(checkpoints_.StepPath(step), step);
    }
    EXPECT_FALSE(std::filesystem::exists(checkpoints_.StepPath(1))) << "two are kept";
  }
}

TEST_F(CheckpointWriterTest, TheBestAndTheStepAreOneFile) {
  CreateFolder();
  Begin(5, {.step = true, .best = true});
  writer_->Wait();
  EXPECT_TRUE(std::filesystem::equivalent(checkpoints_.StepPath(5), checkpoints_.BestPath()));
  ExpectHolds(checkpoints_.BestPath(), 5);
  Begin(6, {.step = true});
  writer_->Wait();
  ExpectHolds(checkpoints_.StepPath(6), 6);
  ExpectHolds(checkpoints_.BestPath(), 5);
}

TEST_F(CheckpointWriterTest, ABestThatCannotBeWrittenIsKept) {
  for (const Mode mode : {Mode::kBackground, Mode::kAtOnce}) {
    Begin(5, {.step = true, .best = true}, mode);
    EXPECT_ANY_THROW(writer_->Wait()) << "there is no folder";
    EXPECT_TRUE(writer_->written().keeps);
    EXPECT_FALSE(writer_->written().best || writer_->written().step);
    Begin(6, {.step = true}, mode);
    EXPECT_ANY_THROW(writer_->Wait());
    EXPECT_FALSE(writer_->written().kept);
    CreateFolder();
    Begin(7, {.step = true}, mode);
    writer_->Wait();
    EXPECT_TRUE(writer_->written().kept);
    ExpectHolds(checkpoints_.BestPath(), 5);
    ExpectHolds(checkpoints_.StepPath(7), 7);
    std::filesystem::remove_all(folder_ / "checkpoints");
  }
  // A better one takes its place.
  Begin(5, {.best = true});
  EXPECT_ANY_THROW(writer_->Wait());
  CreateFolder();
  Begin(8, {.best = true});
  writer_->Wait();
  EXPECT_FALSE(writer_->written().kept);
  ExpectHolds(checkpoints_.BestPath(), 8);
  Begin(9, {});
  writer_->Wait();
  ExpectHolds(checkpoints_.BestPath(), 8);
}

TEST_F(CheckpointWriterTest, ItsEndIsThatOfTheSaveUnderWay) {
  CreateFolder();
  Begin(5, {.step = true});
  writer_.reset();
  ExpectHolds(checkpoints_.StepPath(5), 5);
  EXPECT_THAT(io::CheckpointFolder(folder_ / "checkpoints").StepFileUpTo(9),
              checkpoints_.StepPath(5));
}

}  // namespace
}  // namespace lockstep::trainer
