// Losses, states and gradients of the forecaster against the plain-loop reference in double: every
// decoding, cell, loss and normalisation, with and without covariates.

#include <algorithm>
#include <cmath>
#include <numeric>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/central_difference.h"
#include "tests/worker/forecaster_case.h"
#include "tests/worker/model_case.h"

namespace lockstep::worker {
namespace {

// float32 has 6e-8 a rounding and some tens of them follow each other; a window's scale, down to
// sqrt(1e-5) where it has one value only, multiplies what the values lost.
constexpr double kLossTolerance = 3e-6;
// Of the largest gradient of its parameter, since sums cancel. Central differences add about 1e-9.
constexpr double kGradientTolerance = 1e-5;

// The central difference of the reference's loss along `direction` of one parameter.
double Slope(ReferenceForecaster& reference, const ForecasterCase& of, const std::string& name,
             const std::vector<double>& direction) {
  return CentralDifference(reference.value(name), direction, [&] {
    ReferenceState state = of.InitialReferenceState();
    return reference.Loss(of.batch(), &state, &of.site);
  });
}

void ExpectForwardAsReference(ForecasterCase& of) {
  RecurrentState state;
  const ForecastSum sum = of.Run(&state);
  ReferenceState expected = of.InitialReferenceState();
  const double loss = of.Reference().Loss(of.batch(), &expected, &of.site);
  EXPECT_NEAR(sum.loss, loss, kLossTolerance * std::max(1.0, std::abs(loss)));
  const double scale =
      expected.h.empty() ? 1.0 : std::max(1.0, *std::ranges::max_element(expected.h));
  EXPECT_THAT(std::vector<double>(state.h.begin(), state.h.end()),
              testing::Pointwise(testing::DoubleNear(2e-6 * scale), expected.h));
  EXPECT_THAT(std::vector<double>(state.c.begin(), state.c.end()),
              testing::Pointwise(testing::DoubleNear(2e-6 * scale), expected.c));
}

ForecasterCase MakeCase(const ForecasterOptions& options) {
  return ForecasterCase(options, 3, options.decoding == Decoding::kStream ? 5 : 0);
}

std::vector<double> GradientOf(const ForecasterCase& of, const Parameter& parameter) {
  const auto slice = of.model.parameters().gradient().subspan(parameter.offset, parameter.size);
  return {slice.begin(), slice.end()};
}

// Every single element.
void ExpectGradientAsReference(const ForecasterOptions& options) {
  ForecasterCase of = MakeCase(options);
  ExpectForwardAsReference(of);
  ReferenceForecaster reference = of.Reference();
  for (const Parameter& parameter : of.model.parameters().list()) {
    std::vector<double> expected, direction(parameter.size, 0.0);
    double largest = 0.0;
    for (double& one : direction) {
      one = 1.0;
      expected.push_back(Slope(reference, of, parameter.name, direction));
      one = 0.0;
      largest = std::max(largest, std::abs(expected.back()));
    }
    ASSERT_GT(largest, 1e-4) << parameter.name << " has no gradient to compare";
    EXPECT_THAT(GradientOf(of, parameter),
                testing::Pointwise(testing::DoubleNear(kGradientTolerance * largest), expected))
        << parameter.name;
  }
}

// Of each parameter the slopes along its gradient and at random.
void ExpectSlopesAsReference(const ForecasterOptions& options) {
  ForecasterCase of = MakeCase(options);
  ExpectForwardAsReference(of);
  ReferenceForecaster reference = of.Reference();
  std::mt19937 generator(1);
  for (const Parameter& parameter : of.model.parameters().list()) {
    const std::vector<double> gradient = GradientOf(of, parameter);
    const auto random = UniformValues(generator, gradient.size(), 1.0f);
    for (const auto& direction : {gradient, std::vector<double>(random.begin(), random.end())}) {
      if (Norm(direction) == 0.0) continue;  // signs of absolute errors may cancel
      const double slope =
          std::inner_product(gradient.begin(), gradient.end(), direction.begin(), 0.0);
      EXPECT_NEAR(slope, Slope(reference, of, parameter.name, direction),
                  kGradientTolerance * std::max(Norm(gradient), 1e-3) * Norm(direction))
          << parameter.name;
    }
  }
}

using Combination = std::tuple<Decoding, Cell, ForecastLoss::Kind, Normalization>;

class ForecasterGradientTest : public testing::TestWithParam<Combination> {
 protected:
  void Check(ForecasterOptions options) {
    options.normalization = std::get<Normalization>(GetParam());
    if (WhyImpossible(options).empty()) ExpectSlopesAsReference(options);
  }
};

TEST_P(ForecasterGradientTest, PlainHasTheSlopesOfItsLoss) {
  const auto [decoding, cell, loss, normalization] = GetParam();
  Check(PlainForecaster(decoding, cell, loss));
}

TEST_P(ForecasterGradientTest, RichHasTheSlopesOfItsLoss) {
  const auto [decoding, cell, loss, normalization] = GetParam();
  Check(RichForecaster(decoding, cell, loss));
}

std::string NameOfCombination(const testing::TestParamInfo<Combination>& test) {
  const auto [decoding, cell, loss, normalization] = test.param;
  return NameOf(decoding) + CellName(cell) + NameOf(loss) + NameOf(normalization);
}

INSTANTIATE_TEST_SUITE_P(All, ForecasterGradientTest,
                         testing::Combine(testing::ValuesIn(AllDecodings()),
                                          testing::ValuesIn(AllCells()),
                                          testing::ValuesIn(AllLosses()),
                                          testing::ValuesIn(AllNormalizations())),
                         NameOfCombination);

class ForecasterElementTest : public testing::TestWithParam<std::tuple<Decoding, Cell>> {};

TEST_P(ForecasterElementTest, GradientsEqualCentralDifferences) {
  const auto [decoding, cell] = GetParam();
  for (ForecasterOptions options :
       {PlainForecaster(decoding, cell, ForecastLoss::Kind::kMse),
        RichForecaster(decoding, cell, ForecastLoss::Kind::kGaussian)}) {
    if (decoding != Decoding::kStream) options.normalization = Normalization::kMeanAndDeviation;
    ExpectGradientAsReference(options);
  }
}

INSTANTIATE_TEST_SUITE_P(All, ForecasterElementTest,
                         testing::Combine(testing::ValuesIn(AllDecodings()),
                                          testing::ValuesIn(AllCells())),
                         [](const auto& test) {
                           return NameOf(std::get<0>(test.param)) +
                                  CellName(std::get<1>(test.param));
                         });

}  // namespace
}  // namespace lockstep::worker
