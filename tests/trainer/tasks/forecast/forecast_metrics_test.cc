#include "trainer/tasks/forecast/forecast_metrics.h"

#include <cmath>
#include <limits>
#include <map>
#include <random>
#include <stdexcept>
#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lockstep::trainer {
namespace {

using ::testing::ElementsAre;

constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
const std::vector<double> kLevels = {0.1, 0.5, 0.9};

std::map<std::string, double> ByName(const ForecastMetrics& metrics) {
  std::map<std::string, double> named;
  for (const auto& [name, value] : metrics.Finish(metrics.sums())) named[std::string(name)] = value;
  return named;
}

std::vector<std::string> Names(const ForecastMetrics& metrics) {
  std::vector<std::string> names;
  for (const auto& [name, value] : metrics.Finish(metrics.sums())) names.emplace_back(name);
  return names;
}

// Arrays behind a ForecastWindows.
struct Windows {
  int64_t horizon, items, channels;
  std::vector<float> truth, mean, quantiles;
  std::vector<double> denominators, map_mean, map_deviation;

  ForecastWindows View() const {
    return {horizon, items, channels, truth, mean, quantiles, denominators};
  }
  UnitMap Map() const { return {map_mean, map_deviation}; }
  int64_t columns() const { return items * channels; }
};

// Noise with holes; each channel and item in its own unit, one denominator missing and one 0.
Windows Noise(int64_t horizon, int64_t items, int64_t channels, uint64_t seed) {
  std::mt19937_64 random(seed);
  std::normal_distribution<float> normal;
  Windows w{horizon, items, channels, {}, {}, {}, {}, {}, {}};
  for (int64_t i = 0; i < horizon * w.columns(); ++i) {
    const float y = normal(random);
    w.truth.push_back(i % 7 == 3 ? kNan : y);
    w.mean.push_back(0.7f * y + 0.4f * normal(random) + 0.1f);
  }
  for (const double level : kLevels) {
    for (const float f : w.mean) {
      w.quantiles.push_back(f + 0.9f * static_cast<float>(level - 0.5) + 0.2f * normal(random));
    }
  }
  for (int64_t i = 0; i < w.columns(); ++i) {
    w.denominators.push_back(0.3 + 0.1 * static_cast<double>(i));
    w.map_mean.push_back(100.0 * static_cast<double>(i % channels) - 50.0 + static_cast<double>(i));
    w.map_deviation.push_back(1.5 + static_cast<double>(i % 5));
  }
  w.denominators[0] = 0.0;
  w.denominators.back() = std::nan("");
  return w;
}

double Average(const std::vector<double>& values) {
  double sum = 0.0;
  for (const double value : values) sum += value;
  return sum / static_cast<double>(values.size());
}

double Correlation(const std::vector<double>& a, const std::vector<double>& b) {
  double aa = 0.0, bb = 0.0, ab = 0.0;
  for (size_t i = 0; i < a.size(); ++i) {
    const double x = a[i] - Average(a), y = b[i] - Average(b);
    aa += x * x, bb += y * y, ab += x * y;
  }
  return ab / std::sqrt(aa * bb);
}

// The definitions, value by value in the mapped unit, means taken first.
std::map<std::string, double> Reference(const Windows& w) {
  std::vector<double> absolute, squared, symmetric, mase, truths, correlations, covered;
  std::vector<double> pinball(kLevels.size(), 0.0);
  for (int64_t c = 0; c < w.channels; ++c) {
    std::vector<double> ys, fs;
    for (int64_t i = c; i < w.horizon * w.columns(); i += w.channels) {
      if (std::isnan(w.truth[i])) continue;
      const int64_t column = i % w.columns();
      const auto mapped = [&](float v) { return w.map_mean[column] + w.map_deviation[column] * v; };
      const double y = mapped(w.truth[i]), f = mapped(w.mean[i]), e = std::abs(y - f);
      ys.push_back(y), fs.push_back(f), truths.push_back(y);
      absolute.push_back(e), squared.push_back(e * e);
      symmetric.push_back(200.0 * e / (std::abs(y) + std::abs(f)));
      const double denominator = w.denominators[column] * w.map_deviation[column];
      if (denominator > 0.0) mase.push_back(e / denominator);
      std::vector<double> quantiles;
      for (size_t q = 0; q < kLevels.size(); ++q) {
        const double quantile = mapped(w.quantiles[q * w.horizon * w.columns() + i]);
        quantiles.push_back(quantile);
        pinball[q] +=
            y > quantile ? kLevels[q] * (y - quantile) : (1.0 - kLevels[q]) * (quantile - y);
      }
      covered.push_back(quantiles[0] <= y && y <= quantiles[2] ? 1.0 : 0.0);
    }
    correlations.push_back(Correlation(ys, fs));
  }
  double squares = 0.0, sizes = 0.0;
  for (const double y : truths) squares += std::pow(y - Average(truths), 2), sizes += std::abs(y);
  const auto count = static_cast<double>(truths.size());
  return {{"mse", Average(squared)},
          {"mae", Average(absolute)},
          {"rmse", std::sqrt(Average(squared))},
          {"mase", Average(mase)},
          {"smape", Average(symmetric)},
          {"rse", std::sqrt(Average(squared) * count) / std::sqrt(squares)},
          {"corr", Average(correlations)},
          {"wql", 2.0 * Average(pinball) / sizes},
          {"coverage80", Average(covered)},
          {"count", count}};
}

void ExpectNear(const std::map<std::string, double>& actual,
                const std::map<std::string, double>& expected, double relative) {
  ASSERT_EQ(actual.size(), expected.size());
  for (const auto& [name, value] : expected) {
    ASSERT_TRUE(actual.contains(name)) << name;
    EXPECT_NEAR(actual.at(name), value, relative * std::abs(value)) << name;
  }
}

TEST(ForecastMetricsTest, TwoValuesByHand) {
  ForecastMetrics metrics(1, {0.1, 0.9});
  const std::vector<float> truth = {1, 3}, mean = {2, 1}, quantiles = {0, 1, 2, 2};
  const std::vector<double> denominators = {0.5};
  metrics.Add({2, 1, 1, truth, mean, quantiles, denominators});
  ExpectNear(ByName(metrics),
             {{"mse", 2.5},
              {"mae", 1.5},
              {"rmse", std::sqrt(2.5)},
              {"mase", 3.0},
              {"smape", 200.0 * (1.0 / 3.0 + 2.0 / 4.0) / 2.0},
              {"rse", std::sqrt(5.0 / 2.0)},
              {"corr", -1.0},
              // Pinball 0.1 + 0.2 at level 0.1, 0.1 + 0.9 at level 0.9; the truth sums to 4.
              {"wql", (2 * 0.3 / 4 + 2 * 1.0 / 4) / 2},
              {"coverage80", 0.5},
              {"count", 2.0}},
             1e-12);
  EXPECT_THAT(Names(metrics), ElementsAre("mse", "mae", "rmse", "mase", "smape", "rse", "corr",
                                          "wql", "coverage80", "count"));
}

// The bound is rounding: some hundred values in double.
TEST(ForecastMetricsTest, AsTheDefinitionsSayInAnotherUnit) {
  const Windows w = Noise(12, 6, 3, 1);
  ForecastMetrics metrics(3, kLevels, {-40.0, 60.0, 160.0});
  metrics.Add(w.View(), w.Map());
  ExpectNear(ByName(metrics), Reference(w), 1e-12);
}

TEST(ForecastMetricsTest, AsTheDefinitionsSayInTheUnitOfTheValues) {
  Windows w = Noise(12, 6, 3, 2);
  ForecastMetrics metrics(3, kLevels);
  metrics.Add(w.View());
  w.map_mean.assign(w.columns(), 0.0);
  w.map_deviation.assign(w.columns(), 1.0);
  ExpectNear(ByName(metrics), Reference(w), 1e-12);
}

TEST(ForecastMetricsTest, SumsOfPartsAreTheSumsOfAll) {
  const std::vector<double> shifts = {-40.0, 60.0, 160.0};
  ForecastMetrics whole(3, kLevels, shifts);
  std::vector<double> added(whole.sums().size(), 0.0);
  for (uint64_t part = 0; part < 4; ++part) {
    const Windows w = Noise(12, 1 + static_cast<int64_t>(part), 3, part);
    whole.Add(w.View(), w.Map());
    ForecastMetrics rank(3, kLevels, shifts);
    rank.Add(w.View(), w.Map());
    for (size_t i = 0; i < added.size(); ++i) added[i] += rank.sums()[i];
  }
  ASSERT_GT(whole.sums().size(), 20u);
  for (size_t i = 0; i < added.size(); ++i) {
    EXPECT_NEAR(added[i], whole.sums()[i], 1e-12 * std::abs(added[i])) << i;
  }
  EXPECT_EQ(whole.Finish(added).size(), 10u);
}

// Values of 1e9 with a deviation of 1: what does not depend on the offset keeps its digits.
TEST(ForecastMetricsTest, AnOffsetCostsNoDigits) {
  Windows w = Noise(24, 8, 2, 3);
  ForecastMetrics scaled(2, kLevels), original(2, kLevels, {1e9 + 0.25, 1e9 - 0.25});
  scaled.Add(w.View());
  w.map_mean.assign(w.columns(), 1e9);
  w.map_deviation.assign(w.columns(), 1.0);
  original.Add(w.View(), w.Map());
  auto expected = ByName(scaled), actual = ByName(original);
  EXPECT_LT(actual["smape"], 1e-6 * expected["smape"]);
  for (const char* relative : {"smape", "wql"}) expected.erase(relative), actual.erase(relative);
  ExpectNear(actual, expected, 1e-9);
}

// Item 0 has means 10 and 1000, item 1 has 20 and 2000: of every channel over all its items.
TEST(ForecastMetricsTest, ItemsOfAChannelMayHaveTheirOwnUnits) {
  ForecastMetrics metrics(2, {});
  const std::vector<float> truth = {-1, -1, 1, 1, 1, 1, -1, -1};
  const std::vector<double> mean = {10, 1000, 20, 2000}, deviation = {1, 2, 3, 4};
  metrics.Add({2, 2, 2, truth, truth, {}, {}}, {mean, deviation});
  const auto named = ByName(metrics);
  EXPECT_DOUBLE_EQ(named.at("corr"), 1.0);
  EXPECT_DOUBLE_EQ(named.at("mae"), 0.0);
  EXPECT_DOUBLE_EQ(named.at("smape"), 0.0);
}

// What sums of a constant leave by rounding does not pass for variance: most of these have no exact
// sum, and the channels are observed unequally often.
TEST(ForecastMetricsTest, WhatIsNotDefinedIsAbsent) {
  for (int constant = 1; constant <= 20; ++constant) {
    ForecastMetrics metrics(3, {});
    std::vector<float> truth(3 * 99 * 5), mean(truth.size(), 0.2f);
    for (size_t i = 0; i < truth.size(); ++i) {
      truth[i] = i % 7 == 1 || i % 6 == 2 ? kNan : 0.1f * static_cast<float>(constant);
    }
    std::vector<double> denominators(3 * 5, 0.0);
    denominators[0] = std::numeric_limits<double>::infinity();
    const std::vector<double> map_mean(3 * 5, 0.7), map_deviation(3 * 5, 0.3);
    for (int i = 0; i < 7; ++i) {
      metrics.Add({99, 5, 3, truth, mean, {}, denominators}, {map_mean, map_deviation});
    }
    EXPECT_THAT(Names(metrics), ElementsAre("mse", "mae", "rmse", "smape", "count")) << constant;
  }
}

TEST(ForecastMetricsTest, TheBoundsOfAnIntervalLieInside) {
  ForecastMetrics metrics(1, {0.1, 0.9});
  const std::vector<float> truth = {1, 2, 3, 4}, quantiles = {1, 1, 1, 5, 5, 2, 2, 3};
  metrics.Add({4, 1, 1, truth, truth, quantiles, {}});
  EXPECT_EQ(ByName(metrics).at("coverage80"), 0.5);  // not 3 in [1, 2], nor 4 in [5, 3]
}

TEST(ForecastMetricsTest, ZeroForecastAsZeroIsNoError) {
  ForecastMetrics metrics(1, {});
  const std::vector<float> truth = {0, 1}, mean = {0, 3};
  metrics.Add({2, 1, 1, truth, mean, {}, {}});
  EXPECT_DOUBLE_EQ(ByName(metrics).at("smape"), 200.0 * (0.0 + 2.0 / 4.0) / 2.0);
}

TEST(ForecastMetricsTest, NothingObserved) {
  ForecastMetrics metrics(2, {});
  EXPECT_THAT(Names(metrics), ElementsAre("count"));
  const std::vector<float> truth(6, kNan), mean(6, 1.0f);
  metrics.Add({3, 1, 2, truth, mean, {}, {}});
  EXPECT_THAT(Names(metrics), ElementsAre("count"));
  EXPECT_EQ(ByName(metrics)["count"], 0.0);
}

TEST(ForecastMetricsTest, AConstantForecastHasNoCorrelation) {
  ForecastMetrics metrics(2, {});
  // Channel 0 is forecast without error, channel 1 by a constant.
  const std::vector<float> truth = {1, 1, 2, 2, 4, 4}, mean = {1, 3, 2, 3, 4, 3};
  metrics.Add({3, 1, 2, truth, mean, {}, {}});
  EXPECT_DOUBLE_EQ(ByName(metrics).at("corr"), 0.5);
}

TEST(ForecastMetricsTest, ANanForecastShows) {
  ForecastMetrics metrics(1, {0.1, 0.9});
  const std::vector<float> truth = {1, 2}, mean = {1, kNan}, quantiles = {0, kNan, 3, kNan};
  metrics.Add({2, 1, 1, truth, mean, quantiles, {}});
  const auto named = ByName(metrics);
  for (const char* name : {"mse", "mae", "rmse", "smape", "rse", "corr", "wql"}) {
    ASSERT_TRUE(named.contains(name)) << name;
    EXPECT_TRUE(std::isnan(named.at(name))) << name;
  }
  EXPECT_EQ(named.at("coverage80"), 0.5);
}

TEST(ForecastMetricsTest, ShapesThatDoNotFit) {
  ForecastMetrics metrics(2, {0.5});
  const std::vector<float> six(6, 0.0f), five(5, 0.0f);
  const std::vector<double> two(2, 1.0), three(3, 1.0);
  EXPECT_NO_THROW(metrics.Add({3, 1, 2, six, six, six, two}, {two, two}));
  EXPECT_THROW(metrics.Add({2, 1, 3, six, six, six, {}}), std::invalid_argument);
  EXPECT_THROW(metrics.Add({3, 1, 2, five, six, six, {}}), std::invalid_argument);
  EXPECT_THROW(metrics.Add({3, 1, 2, six, five, six, {}}), std::invalid_argument);
  EXPECT_THROW(metrics.Add({3, 1, 2, six, six, {}, {}}), std::invalid_argument);
  EXPECT_THROW(metrics.Add({3, 1, 2, six, six, six, three}), std::invalid_argument);
  EXPECT_THROW(metrics.Add({3, 1, 2, six, six, six, {}}, {two, {}}), std::invalid_argument);
  EXPECT_THROW(metrics.Finish(two), std::invalid_argument);
  EXPECT_THROW(ForecastMetrics(2, {}, {1.0}), std::invalid_argument);
}

}  // namespace
}  // namespace lockstep::trainer
