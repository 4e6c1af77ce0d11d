#include "trainer/tasks/forecast/baselines.h"

#include <cmath>
#include <limits>
#include <random>
#include <stdexcept>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lockstep::trainer {
namespace {

using ::testing::Each;
using ::testing::ElementsAre;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();

std::vector<float> Seasonal(const std::vector<float>& history, int64_t columns, int64_t season,
                            int64_t horizon) {
  std::vector<float> forecast(horizon * columns, -1.0f);
  SeasonalNaiveForecast(history, columns, season, forecast);
  return forecast;
}

TEST(PersistenceTest, RepeatsTheLastObservedValueOfEachColumn) {
  std::vector<float> forecast(6, -1.0f);
  PersistenceForecast(std::vector<float>{1, 10, kNan, 2, kNan, kNan, 3, kNan, kNan}, 3, forecast);
  EXPECT_THAT(forecast, ElementsAre(3, 10, 0, 3, 10, 0));
}

TEST(SeasonalNaiveTest, RepeatsTheLastSeason) {
  EXPECT_THAT(Seasonal({9, 1, 2, 3}, 1, 3, 7), ElementsAre(1, 2, 3, 1, 2, 3, 1));
  EXPECT_THAT(Seasonal({1, 5, 2, 6, 3, 7}, 2, 2, 3), ElementsAre(2, 6, 3, 7, 2, 6));
}

TEST(SeasonalNaiveTest, AHoleTakesTheSeasonBeforeElseTheLastValue) {
  EXPECT_THAT(Seasonal({1, 2, kNan, 4}, 1, 2, 4), ElementsAre(1, 4, 1, 4));
  EXPECT_THAT(Seasonal({kNan, 2, kNan, 4}, 1, 2, 2), ElementsAre(4, 4));
}

TEST(SeasonalNaiveTest, AHistoryShorterThanASeason) {
  EXPECT_THAT(Seasonal({1, 2, 3}, 1, 4, 6), ElementsAre(3, 1, 2, 3, 3, 1));
  EXPECT_THAT(Seasonal({1, 2, 3}, 1, 24, 3), ElementsAre(3, 3, 3));
  EXPECT_THAT(Seasonal({}, 2, 24, 2), Each(0.0f));
}

TEST(SeasonalNaiveTest, WhatDoesNotFit) {
  std::vector<float> forecast(3);
  EXPECT_THROW(SeasonalNaiveForecast(std::vector<float>(4), 3, 1, forecast), std::invalid_argument);
  EXPECT_THROW(SeasonalNaiveForecast(std::vector<float>(3), 2, 1, forecast), std::invalid_argument);
  EXPECT_THROW(SeasonalNaiveForecast(std::vector<float>(3), 3, 0, forecast), std::invalid_argument);
}

// |4 - 1|, |3 - 2|, |9 - 4| at a season of 2.
TEST(SeasonalNaiveErrorTest, ByHand) {
  SeasonalNaiveError error(1, 2);
  error.Add(std::vector<float>{1, 2, 4, 3, 9});
  EXPECT_DOUBLE_EQ(error.Mean(0), (3.0 + 1.0 + 5.0) / 3.0);
}

TEST(SeasonalNaiveErrorTest, PairsWithAHoleDoNotCount) {
  SeasonalNaiveError error(2, 2);
  error.Add(std::vector<float>{1, kNan, kNan, 5, 4, kNan, 3, 8, 9, kNan, 3.5, kNan});
  EXPECT_DOUBLE_EQ(error.Mean(0), (3.0 + 5.0 + 0.5) / 3.0);
  EXPECT_DOUBLE_EQ(error.Mean(1), 3.0);
}

TEST(SeasonalNaiveErrorTest, AShortSeriesTakesNeighbours) {
  SeasonalNaiveError error(1, 24);
  error.Add(std::vector<float>{1});
  EXPECT_TRUE(std::isnan(error.Mean(0)));
  error.Add(std::vector<float>{2, 5});
  EXPECT_DOUBLE_EQ(error.Mean(0), 2.0);
}

// In pieces of 1 to 40 rows, against all rows at hand; the season is longer than some pieces.
TEST(SeasonalNaiveErrorTest, PiecesChangeNothing) {
  constexpr int64_t kRows = 500, kChannels = 3;
  std::mt19937_64 random(1);
  std::normal_distribution<float> normal(1e6f, 10.0f);
  std::vector<float> rows(kRows * kChannels);
  for (float& value : rows) value = random() % 9 == 0 ? kNan : normal(random);
  for (const int64_t season : {1, 7, 24, 400}) {
    SeasonalNaiveError error(kChannels, season);
    for (int64_t at = 0; at < kRows;) {
      const int64_t count = std::min<int64_t>(1 + static_cast<int64_t>(random() % 40), kRows - at);
      error.Add(std::span(rows).subspan(at * kChannels, count * kChannels));
      at += count;
    }
    for (int64_t c = 0; c < kChannels; ++c) {
      double sum = 0.0;
      int64_t pairs = 0;
      for (int64_t t = season; t < kRows; ++t) {
        const double now = rows[t * kChannels + c], then = rows[(t - season) * kChannels + c];
        if (std::isnan(now - then)) continue;
        sum += std::abs(now - then);
        ++pairs;
      }
      ASSERT_GT(pairs, 0);
      EXPECT_DOUBLE_EQ(error.Mean(c), sum / static_cast<double>(pairs)) << season << " " << c;
    }
  }
}

TEST(DefaultSeasonTest, OfUsualFrequencies) {
  constexpr int64_t kHour = 3600, kDay = 24 * kHour;
  EXPECT_EQ(DefaultSeason(kHour, 0), 24);
  EXPECT_EQ(DefaultSeason(2 * kHour, 0), 12);
  EXPECT_EQ(DefaultSeason(5 * kHour, 0), 1);
  EXPECT_EQ(DefaultSeason(60, 0), 1440);
  EXPECT_EQ(DefaultSeason(15 * 60, 0), 96);
  EXPECT_EQ(DefaultSeason(kDay, 0), 7);
  EXPECT_EQ(DefaultSeason(7 * kDay, 0), 52);
  EXPECT_EQ(DefaultSeason(14 * kDay, 0), 26);
  EXPECT_EQ(DefaultSeason(0, 1), 12);
  EXPECT_EQ(DefaultSeason(0, 3), 4);
  EXPECT_EQ(DefaultSeason(0, 12), 1);
  EXPECT_EQ(DefaultSeason(1, 0), 1);
  EXPECT_EQ(DefaultSeason(0, 0), 1);
}

}  // namespace
}  // namespace lockstep::trainer
