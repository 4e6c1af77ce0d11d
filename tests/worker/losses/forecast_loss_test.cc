#include "worker/losses/forecast_loss.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "worker/losses/distribution.h"
#include "worker/losses/special_functions.h"

namespace lockstep::worker {
namespace {

using Kind = ForecastLoss::Kind;

// Digamma(1) is minus Euler's constant; Digamma(1/2) = that - 2 log 2; the recurrence for others.
TEST(SpecialFunctionsTest, DigammaIsTheLogarithmicDerivativeOfGamma) {
  constexpr double kEuler = 0.57721566490153286061;
  EXPECT_NEAR(Digamma(1.0), -kEuler, 1e-13);
  EXPECT_NEAR(Digamma(0.5), -kEuler - 2.0 * std::log(2.0), 1e-13);
  for (const double x : {0.01, 0.3, 1.7, 5.0, 9.99, 10.0, 123.0, 1e6}) {
    EXPECT_NEAR(Digamma(x + 1.0), Digamma(x) + 1.0 / x, 1e-12 * std::max(1.0, 1.0 / x)) << x;
  }
}

TEST(SpecialFunctionsTest, IncompleteBetaHasItsClosedForms) {
  for (const double x : {0.0, 0.03, 0.4, 0.77, 1.0}) {
    EXPECT_NEAR(IncompleteBeta(1.0, 1.0, x), x, 1e-14);
    EXPECT_NEAR(IncompleteBeta(3.0, 1.0, x), x * x * x, 1e-14);
    EXPECT_NEAR(IncompleteBeta(1.0, 4.0, x), 1.0 - std::pow(1.0 - x, 4.0), 1e-14);
    EXPECT_NEAR(IncompleteBeta(0.5, 0.5, x), 2.0 / M_PI * std::asin(std::sqrt(x)), 1e-13);
  }
}

// Published tables, to their digits.
TEST(SpecialFunctionsTest, QuantilesAreThoseOfTables) {
  EXPECT_NEAR(NormalQuantile(0.975), 1.959963984540054, 1e-12);
  EXPECT_NEAR(NormalQuantile(0.1), -1.281551565544600, 1e-12);
  EXPECT_NEAR(StudentTQuantile(1.0, 0.975), 12.706204736432095, 1e-9);
  EXPECT_NEAR(StudentTQuantile(3.0, 0.9), 1.637744353696210, 1e-10);
  EXPECT_NEAR(StudentTQuantile(10.0, 0.05), -1.812461122811676, 1e-10);
  EXPECT_NEAR(StudentTQuantile(4.0, 0.5), 0.0, 1e-12);
  EXPECT_NEAR(StudentTQuantile(1e7, 0.975), 1.95996398, 1e-6);
}

// The probabilities of counts, added up by their own formula.
TEST(SpecialFunctionsTest, NegativeBinomialQuantileIsTheFirstCountThatReachesTheLevel) {
  for (const double mean : {0.2, 3.0, 250.0}) {
    for (const double alpha : {1e-3, 0.4, 3.0}) {
      for (const double level : {0.01, 0.1, 0.5, 0.9, 0.999}) {
        const double r = 1.0 / alpha;
        double sum = 0.0, y = -1.0;
        while (sum < level) {
          y += 1.0;
          sum += std::exp(std::lgamma(y + r) - std::lgamma(y + 1.0) - std::lgamma(r) +
                          r * std::log(r / (r + mean)) + y * std::log(mean / (r + mean)));
        }
        EXPECT_EQ(NegativeBinomialQuantile(mean, alpha, level), y)
            << mean << " " << alpha << " " << level;
      }
    }
  }
}

ForecastSum SumOf(const ForecastLoss& loss, const RawLayout& layout,
                  const std::vector<float>& targets, std::vector<float>& raw, bool gradient) {
  const std::vector<float> centre(layout.rows * layout.width, 0.0f);
  const std::vector<float> scale(layout.rows * layout.width, 1.0f);
  return SumLosses(loss, layout, targets.data(), centre.data(), scale.data(), gradient, raw.data());
}

TEST(SumLossesTest, MissingTargetsHaveNoLossAndNoGradient) {
  const RawLayout layout{1, 2, 3, 1};
  for (const Kind kind : {Kind::kMse, Kind::kMae, Kind::kHuber, Kind::kGaussian, Kind::kStudentT,
                          Kind::kNegativeBinomial, Kind::kQuantiles}) {
    const ForecastLoss loss{.kind = kind};
    const int64_t P = loss.outputs();
    std::vector<float> targets = {1.0f, NAN, 2.0f, NAN, NAN, NAN};
    std::vector<float> raw(6 * P, 0.3f), all = raw, other = raw;
    const ForecastSum sum = SumOf(loss, layout, targets, raw, true);
    EXPECT_EQ(sum.targets, 2);
    for (int64_t i = 0; i < 6 * P; ++i) {
      const bool there = i < 3 * P && i % 3 != 1;
      if (there) {
        EXPECT_NE(raw[i], 0.0f) << i;
      } else {
        EXPECT_EQ(raw[i], 0.0f) << i;
      }
    }
    EXPECT_EQ(SumOf(loss, layout, targets, all, false).loss, sum.loss);
    EXPECT_EQ(all, other) << "without gradient raw outputs stay";
  }
}

TEST(SumLossesTest, DivergedOutputsMakeNoNumberOfALoss) {
  for (const Kind kind : {Kind::kMse, Kind::kMae, Kind::kHuber, Kind::kGaussian, Kind::kStudentT,
                          Kind::kNegativeBinomial, Kind::kQuantiles}) {
    const ForecastLoss loss{.kind = kind};
    std::vector<float> raw(loss.outputs(), NAN);
    EXPECT_TRUE(std::isnan(SumOf(loss, {1, 1, 1, 1}, {1.0f}, raw, true).loss));
  }
}

// Many draws have the mean, and as many as they should lie below each quantile.
TEST(DrawValueTest, DrawsHaveTheirDistribution) {
  constexpr int kDraws = 40'000;
  const float raw[] = {0.7f, 0.2f, 1.5f, 1.9f, 2.2f};
  for (const Kind kind :
       {Kind::kGaussian, Kind::kStudentT, Kind::kNegativeBinomial, Kind::kQuantiles}) {
    const ForecastLoss loss{.kind = kind};
    const bool counts = kind == Kind::kNegativeBinomial;
    const RawValue value{raw, 1, counts ? 0.0 : -3.0, counts ? 9.0 : 2.0};
    std::vector<double> draws;
    for (uint32_t i = 0; i < kDraws; ++i) {
      draws.push_back(DrawValue(loss, value, Philox({i, 5, 6, 7}, {1, 2})));
    }
    for (const double level : {0.15, 0.5, 0.8}) {
      const double quantile = QuantileOf(loss, level)(value);
      const auto below = std::ranges::count_if(draws, [=](double x) { return x < quantile; });
      const auto not_above = std::ranges::count_if(draws, [=](double x) { return x <= quantile; });
      // Five standard errors of a share.
      const double error = 5.0 * std::sqrt(0.25 / kDraws);
      EXPECT_LT(static_cast<double>(below) / kDraws, level + error) << static_cast<int>(kind);
      EXPECT_GT(static_cast<double>(not_above) / kDraws, level - error) << static_cast<int>(kind);
    }
    if (kind == Kind::kQuantiles) continue;  // its mean is the median
    const double mean = std::accumulate(draws.begin(), draws.end(), 0.0) / kDraws;
    double variance = 0.0;
    for (const double x : draws) variance += (x - mean) * (x - mean) / kDraws;
    EXPECT_NEAR(mean, PredictedMean(loss, value), 5.0 * std::sqrt(variance / kDraws));
  }
}

TEST(QuantileOfTest, CrossedQuantilesAreOrderedAndInterpolated) {
  const ForecastLoss loss{.kind = Kind::kQuantiles, .levels = {0.1, 0.5, 0.9}};
  const float raw[] = {3.0f, 1.0f, 2.0f};
  const RawValue value{raw, 1, 10.0, 2.0};
  EXPECT_DOUBLE_EQ(QuantileOf(loss, 0.1)(value), 12.0);
  EXPECT_DOUBLE_EQ(QuantileOf(loss, 0.5)(value), 14.0);
  EXPECT_DOUBLE_EQ(QuantileOf(loss, 0.7)(value), 15.0);
  EXPECT_DOUBLE_EQ(QuantileOf(loss, 0.01)(value), 12.0);
  EXPECT_DOUBLE_EQ(QuantileOf(loss, 0.99)(value), 16.0);
  EXPECT_DOUBLE_EQ(PredictedMean(loss, value), 14.0);
}

TEST(ForecastLossTest, RefusesWrongOptions) {
  EXPECT_EQ(WhyImpossible(ForecastLoss{}), "");
  EXPECT_THAT(WhyImpossible(ForecastLoss{.kind = Kind::kHuber, .delta = 0.0}),
              testing::HasSubstr("delta"));
  for (const std::vector<double>& levels :
       {std::vector<double>{}, {0.5, 0.5}, {0.9, 0.1}, {0.0, 0.5}, {0.5, 1.0}}) {
    EXPECT_THAT(WhyImpossible(ForecastLoss{.kind = Kind::kQuantiles, .levels = levels}),
                testing::HasSubstr("levels"));
  }
}

}  // namespace
}  // namespace lockstep::worker
