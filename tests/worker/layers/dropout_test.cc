#include "worker/layers/dropout.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include <gtest/gtest.h>

#include "tests/worker/reference_model.h"

namespace lockstep::worker {
namespace {

const DropoutSite kSite{
    .seed = 0xFEDCBA9876543210, .batch = 0x1200000034, .layer = 3, .first_lane = 5};

// What Dropout makes of ones: the mask times its scale.
std::vector<float> Factors(const DropoutSite& site, double probability, int64_t time_steps,
                           int64_t lanes, int64_t units) {
  std::vector<float> values(time_steps * lanes * units, 1.0f);
  Dropout(site, probability, time_steps, lanes, units, values.data(), values.data());
  return values;
}

TEST(DropoutTest, EqualsScalarPhiloxForEveryWidth) {
  const int64_t T = 3, B = 2;
  for (int64_t units = 1; units <= 40; ++units) {
    const auto factors = Factors(kSite, 0.3, T, B, units);
    for (int64_t i = 0; i < T * B * units; ++i) {
      ASSERT_FLOAT_EQ(factors[i], ReferenceDropoutFactor(kSite, 0.3, i / units / B, i / units % B,
                                                         i % units, units))
          << units << " units, element " << i;
    }
  }
}

TEST(DropoutTest, ScalesWhatItKeepsAndWorksInPlace) {
  const int64_t T = 2, B = 3, H = 21, size = T * B * H;
  std::vector<float> x(size), out(size);
  std::iota(x.begin(), x.end(), 1.0f);
  Dropout(kSite, 0.3, T, B, H, x.data(), out.data());
  const auto factors = Factors(kSite, 0.3, T, B, H);
  for (int64_t i = 0; i < size; ++i) EXPECT_EQ(out[i], x[i] * factors[i]);
  Dropout(kSite, 0.3, T, B, H, x.data(), x.data());
  EXPECT_EQ(x, out);
}

TEST(DropoutTest, MaskOfALaneDoesNotDependOnTheLanesBesideIt) {
  const int64_t T = 4, B = 7, H = 13;
  const auto all = Factors(kSite, 0.5, T, B, H);
  for (int64_t lane = 0; lane < B; ++lane) {
    DropoutSite site = kSite;
    site.first_lane += lane;
    const auto alone = Factors(site, 0.5, T, 1, H);
    for (int64_t t = 0; t < T; ++t) {
      EXPECT_TRUE(std::equal(alone.begin() + t * H, alone.begin() + (t + 1) * H,
                             all.begin() + (t * B + lane) * H))
          << "lane " << lane << " time step " << t;
    }
  }
}

// Packed rows: an item's mask is that of its number and of its own time steps, whatever is beside
// it; a time step alone has the same.
TEST(DropoutTest, MaskOfAnItemOfPackedRows) {
  const int64_t H = 13, numbers[] = {9, 1, 70'000'000'000, 2};
  const PackedSteps steps = PackedSteps::OfLengths(std::vector<int64_t>{5, 3, 3, 1});
  DropoutSite site = kSite;
  site.lanes = numbers;
  std::vector<float> all(steps.rows() * H, 1.0f), by_steps = all;
  Dropout(site, 0.5, steps, H, all.data(), all.data());
  for (int64_t t = 0; t < steps.time_steps(); ++t) {
    float* rows = by_steps.data() + steps.first_row(t) * H;
    DropoutOfStep(site, 0.5, t, steps.items_at(t), H, rows, rows);
  }
  EXPECT_EQ(all, by_steps);
  for (int64_t item = 0; item < steps.items(); ++item) {
    DropoutSite own = kSite;
    own.first_lane = numbers[item];
    const auto alone = Factors(own, 0.5, steps.length(item), 1, H);
    for (int64_t t = 0; t < steps.length(item); ++t) {
      EXPECT_TRUE(std::equal(alone.begin() + t * H, alone.begin() + (t + 1) * H,
                             all.begin() + (steps.first_row(t) + item) * H))
          << "item " << item << " time step " << t;
    }
  }
}

TEST(DropoutTest, ALockedMaskIsThatOfTheFirstTimeStep) {
  const int64_t T = 4, B = 3, H = 21;
  DropoutSite site = kSite;
  site.locked = true;
  const auto free = Factors(kSite, 0.5, T, B, H), locked = Factors(site, 0.5, T, B, H);
  for (int64_t t = 0; t < T; ++t) {
    EXPECT_TRUE(
        std::equal(locked.begin() + t * B * H, locked.begin() + (t + 1) * B * H, free.begin()))
        << t;
  }
}

std::vector<float> WeightFactors(const DropoutSite& site, double probability, uint32_t part) {
  std::vector<float> weights(120 * 31, 1.0f);
  DropWeights(site, probability, part, 120, 31, weights.data(), weights.data());
  return weights;
}

// A rank's lanes change nothing; all else does.
TEST(DropWeightsTest, AMaskIsOfItsBatchAndLayer) {
  const auto mask = WeightFactors(kSite, 0.5, 0);
  DropoutSite lanes = kSite;
  lanes.first_lane += 7;
  lanes.locked = true;
  EXPECT_EQ(WeightFactors(lanes, 0.5, 0), mask);
  DropoutSite seed = kSite, batch = kSite, layer = kSite;
  ++seed.seed;
  ++batch.batch;
  ++layer.layer;
  for (const DropoutSite& other : {seed, batch, layer}) {
    EXPECT_NE(WeightFactors(other, 0.5, 0), mask);
  }
  EXPECT_NE(WeightFactors(kSite, 0.5, 1), mask);
  DropoutSite same = kSite;
  same.first_lane = 0;
  EXPECT_NE(Factors(same, 0.5, 120, 1, 31), mask) << "as a dropout's";
}

TEST(DropWeightsTest, KeepsTheRightShare) {
  const auto factors = WeightFactors(kSite, 0.3, 0);
  const auto n = static_cast<double>(factors.size());
  const auto kept = n - static_cast<double>(std::ranges::count(factors, 0.0f));
  // Five standard deviations of a binomial distribution.
  EXPECT_NEAR(kept / n, 0.7, 5.0 * std::sqrt(0.3 * 0.7 / n));
  EXPECT_FLOAT_EQ(*std::ranges::max_element(factors), 1.0f / 0.7f);
}

TEST(DropoutTest, EveryPartOfTheSiteChangesTheMask) {
  const auto mask = Factors(kSite, 0.5, 2, 2, 50);
  DropoutSite seed = kSite, batch = kSite, far_batch = kSite, layer = kSite, lane = kSite;
  seed.seed += uint64_t{1} << 32;
  ++batch.batch;
  far_batch.batch += uint64_t{1} << 32;
  ++layer.layer;
  lane.first_lane += 2;
  for (const DropoutSite& other : {seed, batch, far_batch, layer, lane}) {
    EXPECT_NE(Factors(other, 0.5, 2, 2, 50), mask);
  }
  EXPECT_FALSE(std::equal(mask.begin(), mask.begin() + 100, mask.begin() + 100)) << "time steps";
}

TEST(DropoutTest, KeepsTheRightShare) {
  for (const double probability : {0.0, 0.01, 0.2, 0.5, 0.9}) {
    const int64_t T = 20, B = 50, H = 101;
    const auto factors = Factors(kSite, probability, T, B, H);
    const double n = static_cast<double>(factors.size());
    const double kept = n - static_cast<double>(std::ranges::count(factors, 0.0f));
    // Five standard deviations of a binomial distribution.
    EXPECT_NEAR(kept / n, 1.0 - probability, 5.0 * std::sqrt(probability * (1.0 - probability) / n))
        << probability;
    EXPECT_FLOAT_EQ(*std::ranges::max_element(factors),
                    static_cast<float>(1.0 / (1.0 - probability)));
  }
}

// 2^32 times these rounds to 2^32, which no word of 32 bits can be compared with.
TEST(DropoutTest, AProbabilityNextToOneDropsAllButOneWordInFourBillion) {
  for (const double probability : {std::nextafter(1.0, 0.0), 1.0 - 0x1.0p-33, 1.0 - 0x1.0p-32}) {
    const auto factors = Factors(kSite, probability, 20, 50, 101);
    EXPECT_EQ(std::ranges::count(factors, 0.0f), std::ssize(factors)) << probability;
  }
  // Of 101,000 words 101 are kept on average; four times the standard deviation is 40.
  const auto factors = Factors(kSite, 0.999, 20, 50, 101);
  EXPECT_NEAR(std::ssize(factors) - std::ranges::count(factors, 0.0f), 101, 40);
}

}  // namespace
}  // namespace lockstep::worker
