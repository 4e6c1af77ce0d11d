#include "worker/models/sampling.h"

#include <cmath>
#include <limits>
#include <map>
#include <stdexcept>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/philox.h"

namespace lockstep::worker {
namespace {

const std::vector<float> kLogits = {0.5f, 2.0f, -1.0f, 1.5f, 2.0f, 0.0f};

int32_t SampleToken(const std::vector<float>& logits, const SamplingOptions& options,
                    uint64_t index) {
  return SampleTokens(1, logits, options, index).front();
}

constexpr int kDraws = 20000;

std::map<int32_t, int> Draws(const SamplingOptions& options) {
  std::map<int32_t, int> counts;
  for (uint64_t index = 0; index < kDraws; ++index) ++counts[SampleToken(kLogits, options, index)];
  return counts;
}

// The counts of softmax(logits / temperature) over the allowed tokens, to five standard deviations.
void ExpectSoftmax(const SamplingOptions& options, const std::vector<int32_t>& allowed) {
  auto counts = Draws(options);
  double sum = 0.0;
  for (const int32_t id : allowed) sum += std::exp(kLogits[id] / options.temperature);
  for (const int32_t id : allowed) {
    const double p = std::exp(kLogits[id] / options.temperature) / sum;
    EXPECT_NEAR(counts[id], p * kDraws, 5.0 * std::sqrt(kDraws * p * (1.0 - p))) << "token " << id;
    counts.erase(id);
  }
  EXPECT_THAT(counts, testing::IsEmpty()) << "tokens that are not allowed";
}

TEST(SamplingTest, DrawsFromTheSoftmax) {
  ExpectSoftmax({}, {0, 1, 2, 3, 4, 5});
  ExpectSoftmax({.temperature = 0.5}, {0, 1, 2, 3, 4, 5});
  ExpectSoftmax({.temperature = 3.0, .seed = 9}, {0, 1, 2, 3, 4, 5});
}

TEST(SamplingTest, TopKAndExcludedLeaveOutTheRest) {
  ExpectSoftmax({.top_k = 3}, {1, 4, 3});
  ExpectSoftmax({.top_k = 100}, {0, 1, 2, 3, 4, 5});
  ExpectSoftmax({.excluded = 1}, {0, 2, 3, 4, 5});
  ExpectSoftmax({.top_k = 2, .excluded = 4}, {1, 3});
  ExpectSoftmax({.top_k = 1}, {1});
}

TEST(SamplingTest, NoTemperatureTakesTheLikeliest) {
  EXPECT_EQ(SampleToken(kLogits, {.temperature = 0.0}, 5), 1) << "the lower of two equal ones";
  EXPECT_EQ(SampleToken(kLogits, {.temperature = 0.0, .excluded = 1}, 5), 4);
  const std::vector<float> single = {1.0f};
  EXPECT_EQ(SampleToken(single, {.excluded = 0}, 5), 0) << "there is nothing else";
}

// Tokens share [0, 1) in their order; the point is the Philox block of the index.
TEST(SamplingTest, IsAFunctionOfSeedTextAndIndex) {
  const std::vector<float> logits = {0.0f, 0.0f, 0.0f, 0.0f};
  for (uint64_t index = 0; index < 50; ++index) {
    const uint64_t far = index + (uint64_t{3} << 32);
    const auto words = Philox({static_cast<uint32_t>(index), 3, 0, 3u << 28}, {7, 1});
    EXPECT_EQ(SampleToken(logits, {.seed = 0x100000007}, far), words[0] >> 30);
    const auto of_text = Philox({static_cast<uint32_t>(index), 3, 9, 3u << 28}, {7, 1});
    EXPECT_EQ(SampleToken(logits, {.seed = 0x100000007, .text = 9}, far), of_text[0] >> 30);
  }
}

// Of a batch, row i is text 5 + i, whatever stands beside it.
TEST(SamplingTest, EachRowOfABatchDrawsAsItsTextAlone) {
  std::vector<float> logits;
  for (int i = 0; i < 40; ++i) {
    for (const float x : kLogits) logits.push_back(x * static_cast<float>(i % 3));
  }
  for (const int64_t top_k : {0, 2}) {
    const SamplingOptions options = {.top_k = top_k, .text = 5, .excluded = 3};
    const std::vector<int32_t> tokens = SampleTokens(40, logits, options, 7);
    ASSERT_EQ(tokens.size(), 40u);
    for (uint32_t i = 0; i < 40; ++i) {
      SamplingOptions alone = options;
      alone.text += i;
      const std::vector<float> row(logits.begin() + i * 6, logits.begin() + (i + 1) * 6);
      EXPECT_EQ(tokens[i], SampleToken(row, alone, 7)) << i;
    }
  }
}

TEST(SamplingTest, HugeLogitsAndTinyTemperatures) {
  const std::vector<float> logits = {-3e38f, 3e38f, 0.0f};
  EXPECT_EQ(SampleToken(logits, {}, 1), 1);
  EXPECT_EQ(SampleToken(logits, {.temperature = 1e-300}, 1), 1);
}

TEST(SamplingTest, RefusesNan) {
  const std::vector<float> logits = {0.0f, std::numeric_limits<float>::quiet_NaN(), 1.0f};
  EXPECT_THROW(SampleToken(logits, {}, 0), std::domain_error);
}

}  // namespace
}  // namespace lockstep::worker
