#include "trainer/data/sequence_batches.h"

#include <algorithm>
#include <numeric>
#include <random>
#include <set>
#include <vector>

#include <gtest/gtest.h>

namespace lockstep::trainer {
namespace {

std::vector<uint32_t> RandomLengths(int count, uint32_t longest) {
  std::mt19937 random(3);
  std::vector<uint32_t> lengths;
  for (int i = 0; i < count; ++i) {
    lengths.push_back(1 + std::min(random() % longest, random() % longest));
  }
  return lengths;
}

// Of all batches of an epoch.
std::vector<std::vector<int64_t>> Epoch(const SequenceBatches& batches, uint64_t seed,
                                        int64_t epoch) {
  std::vector<std::vector<int64_t>> all;
  for (int64_t i = 0; i < batches.batches(); ++i) {
    all.push_back(batches.Shuffled(seed, epoch, i));
  }
  return all;
}

// What the places of padded batches would hold that is no token.
double PaddingShare(const std::vector<std::vector<int64_t>>& epoch,
                    const std::vector<uint32_t>& lengths) {
  int64_t places = 0, tokens = 0;
  for (const auto& batch : epoch) {
    int64_t longest = 0;
    for (const int64_t i : batch) {
      longest = std::max<int64_t>(longest, lengths[i]);
      tokens += lengths[i];
    }
    places += longest * static_cast<int64_t>(batch.size());
  }
  return 1.0 - static_cast<double>(tokens) / static_cast<double>(places);
}

TEST(SequenceBatchesTest, AnEpochTakesEverySequenceOnceAndBatchesAreOfAboutOneLength) {
  const std::vector<uint32_t> lengths = RandomLengths(5000, 200);
  for (const auto& [items, tokens] : {std::pair{int64_t{32}, int64_t{0}}, {1, 2000}}) {
    const SequenceBatches batches(lengths, items, tokens);
    for (const int64_t epoch : {0, 7}) {
      const auto all = Epoch(batches, 11, epoch);
      std::vector<int> seen(lengths.size());
      int64_t most = 0;
      for (const auto& batch : all) {
        ASSERT_FALSE(batch.empty());
        int64_t longest = 0, tokens_of_batch = 0;
        for (const int64_t i : batch) {
          ++seen[i];
          tokens_of_batch += lengths[i];
          longest = std::max<int64_t>(longest, lengths[i]);
        }
        const auto size = static_cast<int64_t>(batch.size());
        EXPECT_LE(size, batches.most_items());
        if (tokens > 0) {
          EXPECT_LE(longest * size, tokens);
        } else {
          EXPECT_LE(size, items);
        }
        EXPECT_LE(tokens_of_batch, batches.most_tokens());
        most = std::max(most, size);
      }
      EXPECT_EQ(most, batches.most_items());
      EXPECT_TRUE(std::ranges::all_of(seen, [](int n) { return n == 1; }));
      EXPECT_LT(PaddingShare(all, lengths), 0.06);
    }
  }
}

TEST(SequenceBatchesTest, EpochsAndSeedsDifferButNotTheNumberOfBatches) {
  const std::vector<uint32_t> lengths = RandomLengths(600, 40);
  const SequenceBatches batches(lengths, 8, 300);
  const auto first = Epoch(batches, 1, 0);
  EXPECT_EQ(first, Epoch(SequenceBatches(lengths, 8, 300), 1, 0));
  EXPECT_NE(first, Epoch(batches, 1, 1));
  EXPECT_NE(first, Epoch(batches, 2, 0));
  // Neither in the same order nor, but for their order, the same.
  const auto second = Epoch(batches, 1, 1);
  EXPECT_NE(std::set(first.begin(), first.end()), std::set(second.begin(), second.end()));
  std::vector<uint32_t> first_lengths;
  for (const auto& batch : first) first_lengths.push_back(lengths[batch.front()]);
  EXPECT_FALSE(std::ranges::is_sorted(first_lengths));
}

TEST(SequenceBatchesTest, ASequenceLongerThanTheBudgetIsABatchOfItsOwn) {
  const SequenceBatches batches(std::vector<uint32_t>{500, 3, 900, 3}, 1, 100);
  ASSERT_EQ(batches.batches(), 3);
  EXPECT_EQ(batches.Ordered(0), (std::vector<int64_t>{1, 3}));
  EXPECT_EQ(batches.Ordered(1), (std::vector<int64_t>{0}));
  EXPECT_EQ(batches.Ordered(2), (std::vector<int64_t>{2}));
  EXPECT_EQ(SequenceBatches({}, 4, 0).batches(), 0);
}

TEST(LanesByLengthTest, RanksHaveEqualTokensAndEveryLaneOnce) {
  const std::vector<uint32_t> lengths = RandomLengths(64, 50);
  for (const int ranks : {1, 3, 4}) {
    std::vector<int> seen(lengths.size());
    std::vector<int64_t> tokens;
    for (int rank = 0; rank < ranks; ++rank) {
      const std::vector<int64_t> lanes = LanesByLength(lengths, rank, ranks);
      EXPECT_TRUE(std::ranges::is_sorted(lanes, std::greater<>(),
                                         [&](int64_t lane) { return lengths[lane]; }));
      tokens.push_back(0);
      for (const int64_t lane : lanes) {
        ++seen[lane];
        tokens.back() += lengths[lane];
      }
    }
    EXPECT_TRUE(std::ranges::all_of(seen, [](int n) { return n == 1; }));
    EXPECT_LE(std::ranges::max(tokens) - std::ranges::min(tokens), 3);
  }
  EXPECT_EQ(LanesByLength(std::vector<uint32_t>{9}, 1, 2), std::vector<int64_t>());
}

}  // namespace
}  // namespace lockstep::trainer
