#include "trainer/data/lanes.h"

#include <algorithm>
#include <stdexcept>
#include <vector>

#include <gtest/gtest.h>

#include "io/datasets/dataset.h"
#include "tests/io/small_files.h"
#include "tests/io/temporary_folder.h"

namespace lockstep::trainer {
namespace {

constexpr uint64_t kVocabulary = 251;

// A dataset whose tokens are known.
class LanesTest : public testing::Test {
 protected:
  explicit LanesTest(uint64_t size = 3000) : tokens_(io::MakeTokens(size, kVocabulary)) {
    io::WriteDataset(folder_ / "tokens.h5", size, kVocabulary);
    dataset_.emplace(io::Dataset::Open(folder_ / "tokens.h5"));
  }

  // Reads an epoch on every rank and checks every place of every batch against the layout's
  // definition, counted here anew.
  void ExpectEveryPredictionOnce(const io::Split& split, int64_t lanes, int64_t time_steps,
                                 int ranks) {
    const LaneLayout layout(split, lanes, time_steps);
    const auto n = static_cast<int64_t>(split.size()) - 1;
    ASSERT_EQ(layout.predictions(), n);
    std::vector<int> seen(n);
    int64_t lanes_seen = 0;
    for (int rank = 0; rank < ranks; ++rank) {
      const LaneRange range = LanesOfRank(lanes, rank, ranks);
      EXPECT_EQ(range.begin, lanes_seen);
      lanes_seen = range.end;
      Lanes reader(*dataset_, layout, range);
      for (int64_t batch = 0; batch < layout.batches(); ++batch) {
        const worker::TokenBatch tokens = reader.Read(batch);
        ASSERT_EQ(tokens.lanes, range.count());
        ASSERT_EQ(tokens.time_steps, layout.time_steps(batch));
        if (batch + 1 < layout.batches()) {
          ASSERT_EQ(tokens.time_steps, time_steps);
        }
        ASSERT_GE(tokens.time_steps, 1);
        ASSERT_LE(tokens.time_steps, time_steps);
        for (int64_t t = 0; t < tokens.time_steps; ++t) {
          for (int64_t b = 0; b < tokens.lanes; ++b) {
            const int64_t lane = range.begin + b;
            const int64_t place = lane * n / lanes + batch * time_steps + t;
            const int32_t input = tokens.inputs[t * tokens.lanes + b];
            const int32_t target = tokens.targets[t * tokens.lanes + b];
            if (place >= (lane + 1) * n / lanes) {
              ASSERT_EQ(target, kNoTarget);
              ASSERT_EQ(batch + 1, layout.batches()) << "only the last batch is not full";
              continue;
            }
            ++seen[place];
            ASSERT_EQ(input, static_cast<int32_t>(tokens_[split.begin + place]));
            ASSERT_EQ(target, static_cast<int32_t>(tokens_[split.begin + place + 1]));
          }
        }
      }
    }
    EXPECT_EQ(lanes_seen, lanes);
    EXPECT_EQ(std::count(seen.begin(), seen.end(), 1), n) << "each prediction exactly once";
  }

  io::TemporaryFolder folder_;
  std::vector<uint32_t> tokens_;
  std::optional<io::Dataset> dataset_;
};

TEST_F(LanesTest, EveryPredictionOnceWhateverTheSizes) {
  for (const uint64_t size : {2, 3, 7, 12, 13, 61, 100, 101, 997, 2500}) {
    for (const int64_t lanes : {1, 2, 3, 7, 10, 64}) {
      for (const int64_t time_steps : {1, 3, 12, 64}) {
        for (const int ranks : {1, 2, 3, 4, 7}) {
          if (ranks > lanes) continue;
          SCOPED_TRACE(testing::Message() << size << " tokens, " << lanes << " lanes, "
                                          << time_steps << " time steps, " << ranks << " ranks");
          ExpectEveryPredictionOnce({"part", 37, 37 + size}, lanes, time_steps, ranks);
        }
      }
    }
  }
}

// Every lane reads the beginning of its own stripe, whatever the number of ranks.
TEST_F(LanesTest, ABoundTakesTheFirstPredictionsOfEveryLane) {
  const io::Split split = {"part", 37, 37 + 2501};
  for (const int64_t lanes : {1, 3, 7, 64}) {
    for (const int64_t most : {1, 100, 999, 2499, 2500, 2501, 1 << 20}) {
      const int64_t each = std::max<int64_t>(1, most / lanes);
      const LaneLayout whole(split, lanes, 12), part(split, lanes, 12, most);
      std::vector<int> seen(2500);
      Lanes reader(*dataset_, part, {0, lanes});
      int64_t read = 0;
      for (int64_t batch = 0; batch < part.batches(); ++batch) {
        const worker::TokenBatch tokens = reader.Read(batch);
        for (int64_t i = 0; i < tokens.time_steps * lanes; ++i) {
          if (tokens.targets[i] == kNoTarget) continue;
          ++read;
          const int64_t lane = i % lanes, at = batch * 12 + i / lanes;
          ASSERT_LT(at, each);
          const int64_t place = lane * 2500 / lanes + at;
          ASSERT_LT(place, (lane + 1) * 2500 / lanes);
          ++seen[place];
          ASSERT_EQ(tokens.targets[i], static_cast<int32_t>(tokens_[37 + place + 1]));
        }
      }
      EXPECT_EQ(std::count(seen.begin(), seen.end(), 1), read);
      EXPECT_EQ(part.predictions(), read);
      EXPECT_EQ(read, each >= (2500 + lanes - 1) / lanes ? 2500 : each * lanes);
      for (int64_t lane = 0; lane < lanes; ++lane) {
        EXPECT_EQ(part.LaneBegin(lane), whole.LaneBegin(lane));
      }
    }
  }
}

TEST_F(LanesTest, TheSplitsOfADataset) {
  for (const io::Split& split : dataset_->splits()) ExpectEveryPredictionOnce(split, 10, 12, 3);
}

TEST_F(LanesTest, ASplitWithNothingToPredictHasNoBatches) {
  for (const uint64_t size : {0, 1}) {
    const LaneLayout layout({"part", 5, 5 + size}, 10, 12);
    EXPECT_EQ(layout.predictions(), 0);
    EXPECT_EQ(layout.batches(), 0);
  }
}

TEST_F(LanesTest, ALayoutOfTheLargestSizesDoesNotOverflow) {
  const int64_t size = int64_t{1} << 45, lanes = 1'000'000;
  const LaneLayout layout({"part", 0, static_cast<uint64_t>(size) + 1}, lanes, 64);
  EXPECT_EQ(layout.LaneBegin(lanes - 1) + layout.LaneSize(lanes - 1), static_cast<uint64_t>(size));
  const LaneRange last = LanesOfRank(lanes, 1023, 1024);
  EXPECT_EQ(last.end, lanes);
}

// Lanes longer than what is read ahead at a time.
class LongLanesTest : public LanesTest {
 protected:
  LongLanesTest() : LanesTest(100'000) {}

  std::vector<int32_t> Copy(const worker::TokenBatch& batch) {
    const int64_t places = batch.time_steps * batch.lanes;
    std::vector<int32_t> all(batch.inputs, batch.inputs + places);
    all.insert(all.end(), batch.targets, batch.targets + places);
    return all;
  }
};

TEST_F(LongLanesTest, ReadingAheadChangesNothing) {
  ExpectEveryPredictionOnce(dataset_->split("train"), 2, 100, 1);
  // Time steps longer than what is read ahead.
  ExpectEveryPredictionOnce(dataset_->split("train"), 2, 20'000, 1);
}

// A resumed run starts in the middle of an epoch, and a new epoch goes back to its start.
TEST_F(LongLanesTest, AnyBatchMayComeFirst) {
  const LaneLayout layout(dataset_->split("train"), 3, 100);
  Lanes in_order(*dataset_, layout, {1, 3});
  std::vector<std::vector<int32_t>> expected;
  for (int64_t batch = 0; batch < layout.batches(); ++batch) {
    expected.push_back(Copy(in_order.Read(batch)));
  }
  for (int64_t batch = 0; batch < layout.batches(); batch += 17) {
    Lanes fresh(*dataset_, layout, {1, 3});
    EXPECT_EQ(Copy(fresh.Read(batch)), expected[batch]) << "batch " << batch;
  }
  for (int64_t batch = layout.batches(); batch-- > 0;) {
    ASSERT_EQ(Copy(in_order.Read(batch)), expected[batch]) << "batch " << batch;
  }
}

// The same stream, cut at other places.
TEST_F(LanesTest, VariedTimeStepsReadTheSameStream) {
  const io::Split& split = dataset_->split("train");
  const LaneLayout layout(split, 7, 12);
  std::vector<int64_t> lengths;
  for (int64_t rest = layout.longest(); rest > 0; rest -= lengths.back()) {
    lengths.push_back(std::min<int64_t>(rest, 5 + 7 * static_cast<int64_t>(lengths.size() % 3)));
  }
  const LaneLayout varied = layout.Varied(lengths);
  EXPECT_EQ(varied.batches(), std::ssize(lengths));
  EXPECT_EQ(varied.predictions(), layout.predictions());
  // Each lane's inputs and targets, one batch behind another.
  const auto read = [&](const LaneLayout& of) {
    Lanes lanes(*dataset_, of, {2, 5});
    std::vector<std::vector<int32_t>> streams(6);
    for (int64_t batch = 0; batch < of.batches(); ++batch) {
      const worker::TokenBatch tokens = lanes.Read(batch);
      EXPECT_EQ(tokens.time_steps, of.time_steps(batch));
      for (int64_t i = 0; i < 3 * tokens.time_steps; ++i) {
        streams[i % 3].push_back(tokens.inputs[i]);
        streams[3 + i % 3].push_back(tokens.targets[i]);
      }
    }
    return streams;
  };
  EXPECT_EQ(read(varied), read(layout));
  EXPECT_EQ(varied.time_steps(1), 12);
  lengths.back() += 1;
  EXPECT_THROW(layout.Varied(lengths), std::invalid_argument);
}

}  // namespace
}  // namespace lockstep::trainer
