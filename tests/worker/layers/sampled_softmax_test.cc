#include <algorithm>
#include <cmath>
#include <random>
#include <set>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/model_case.h"
#include "worker/layers/output_layer.h"
#include "worker/losses/class_sample.h"
#include "worker/threads.h"

namespace lockstep::worker {
namespace {

using Floats = std::vector<float>;

TEST(ClassSampleTest, IsOfDifferentClassesAndAFunctionOfSeedAndBatch) {
  const ClassSample sample(1000, 50, 7, 3);
  const auto& classes = sample.classes();
  EXPECT_EQ(std::set<int32_t>(classes.begin(), classes.end()).size(), 50u);
  EXPECT_TRUE(std::ranges::is_sorted(classes));
  EXPECT_GE(classes.front(), 0);
  EXPECT_LT(classes.back(), 1000);
  for (size_t i = 0; i < classes.size(); ++i) {
    EXPECT_EQ(sample.Find(classes[i]), static_cast<int64_t>(i));
  }
  EXPECT_EQ(ClassSample(1000, 50, 7, 3).classes(), classes);
  EXPECT_NE(ClassSample(1000, 50, 7, 4).classes(), classes);
  EXPECT_NE(ClassSample(1000, 50, 8, 3).classes(), classes);
  const ClassSample all(20, 20, 1, 1);
  EXPECT_EQ(all.classes().size(), 20u);
  EXPECT_EQ(all.LogExpected(19), 0.0);
}

// How often a class is among the sample, over many.
TEST(ClassSampleTest, LogExpectedIsOfTheFrequencyOfItsClass) {
  constexpr int kSamples = 4000;
  std::vector<int> met(100);
  std::vector<double> expected(100);
  for (int batch = 0; batch < kSamples; ++batch) {
    const ClassSample sample(100, 20, 5, batch);
    for (const int32_t c : sample.classes()) ++met[c];
    for (int32_t c = 0; c < 100; ++c) expected[c] += std::exp(sample.LogExpected(c));
  }
  for (const int c : {0, 1, 2, 5, 20, 50, 99}) {
    // Three deviations of a share, and what counting draws instead of classes is off by.
    EXPECT_NEAR(met[c], expected[c], 3.0 * std::sqrt(expected[c]) + 0.02 * expected[c]) << c;
  }
  EXPECT_GT(met[0], 2 * met[20]);
}

/// An output layer with rows and targets, one of which does not count.
struct SampledCase {
  explicit SampledCase(int64_t classes, int64_t hidden, int64_t count)
      : layer(classes, hidden, -1, parameters), rows(count) {
    parameters.Allocate();
    std::mt19937 generator(1);
    std::ranges::copy(UniformValues(generator, parameters.size(), 1.0f),
                      parameters.values().begin());
    y = UniformValues(generator, rows * hidden, 1.0f);
    d_y.assign(y.size(), -9.0f);
    for (int64_t row = 0; row < rows; ++row) {
      targets.push_back(static_cast<int32_t>(generator() % classes));
    }
    targets[2] = -1;
  }
  double Run(const ClassSample& sample) {
    std::ranges::fill(parameters.gradient(), 0.0f);
    return layer.SampledLossAndGradient(rows, y.data(), targets.data(), sample, d_y.data());
  }

  Parameters parameters;
  OutputLayer layer;
  const int64_t rows;
  Floats y, d_y;
  std::vector<int32_t> targets;
};

TEST(SampledSoftmaxTest, OfAllClassesItIsTheSoftmax) {
  SampledCase x(40, 7, 30), full(40, 7, 30);
  const double loss =
      full.layer.LossAndGradient(full.rows, full.y.data(), full.targets.data(), full.d_y.data());
  EXPECT_NEAR(x.Run(ClassSample(40, 40, 1, 1)), loss, 1e-5);
  EXPECT_THAT(x.d_y, testing::Pointwise(testing::FloatNear(1e-5f), full.d_y));
  EXPECT_THAT(x.parameters.gradient(),
              testing::Pointwise(testing::FloatNear(1e-5f), full.parameters.gradient()));
}

// Plain loops in double over the sample and each row's target.
TEST(SampledSoftmaxTest, IsThatOfItsClassesAndTheTarget) {
  constexpr int64_t kClasses = 60, kHidden = 5, kRows = 40;
  SampledCase x(kClasses, kHidden, kRows);
  const ClassSample sample(kClasses, 12, 3, 9);
  const double loss = x.Run(sample);
  const float *weights = x.parameters.value(0), *bias = x.parameters.value(1);
  double expected = 0.0;
  std::vector<double> d_y(x.d_y.size()), d_values(x.parameters.size());
  int outside = 0;
  for (int64_t row = 0; row < kRows; ++row) {
    const int32_t target = x.targets[row];
    if (target < 0) continue;
    std::set<int32_t> classes(sample.classes().begin(), sample.classes().end());
    outside += classes.insert(target).second;
    std::vector<double> shares(kClasses);
    double sum = 0.0;
    for (const int32_t c : classes) {
      double logit = bias[c] - sample.LogExpected(c);
      for (int64_t i = 0; i < kHidden; ++i) {
        logit += static_cast<double>(weights[c * kHidden + i]) * x.y[row * kHidden + i];
      }
      sum += shares[c] = std::exp(logit);
    }
    expected -= std::log(shares[target] / sum);
    for (const int32_t c : classes) {
      const double d_logit = shares[c] / sum - (c == target ? 1.0 : 0.0);
      for (int64_t i = 0; i < kHidden; ++i) {
        d_y[row * kHidden + i] += d_logit * weights[c * kHidden + i];
        d_values[c * kHidden + i] += d_logit * x.y[row * kHidden + i];
      }
      d_values[kClasses * kHidden + c] += d_logit;
    }
  }
  EXPECT_GT(outside, 5);
  EXPECT_NEAR(loss, expected, 1e-4);
  EXPECT_THAT(x.d_y, testing::Pointwise(testing::FloatNear(1e-5f), Floats(d_y.begin(), d_y.end())));
  EXPECT_THAT(
      x.parameters.gradient(),
      testing::Pointwise(testing::FloatNear(1e-5f), Floats(d_values.begin(), d_values.end())));
}

TEST(SampledSoftmaxTest, DoesNotDependOnThreads) {
  SampledCase x(60, 5, 200);
  const ClassSample sample(60, 12, 3, 9);
  const int threads = DefaultThreads();
  std::vector<Floats> gradients;
  for (const int count : {1, 3}) {
    SetThreads(count);
    x.Run(sample);
    gradients.emplace_back(x.parameters.gradient().begin(), x.parameters.gradient().end());
  }
  SetThreads(threads);
  EXPECT_EQ(gradients[0], gradients[1]);
}

}  // namespace
}  // namespace lockstep::worker
