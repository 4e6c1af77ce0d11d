#include "worker/losses/softmax_cross_entropy.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/golden.h"
#include "tests/worker/model_case.h"

namespace lockstep::worker {
namespace {

// Softmax of one row in double.
std::vector<double> Probabilities(const float* logits, int64_t classes) {
  const double maximum = *std::max_element(logits, logits + classes);
  std::vector<double> p;
  double sum = 0.0;
  for (int64_t i = 0; i < classes; ++i) {
    p.push_back(std::exp(logits[i] - maximum));
    sum += p.back();
  }
  for (double& value : p) value /= sum;
  return p;
}

void ExpectAsInDouble(int64_t classes, float bound) {
  const int64_t rows = 5;
  std::mt19937 generator(classes);
  const auto logits = UniformValues(generator, rows * classes, bound);
  std::vector<int32_t> targets;
  for (int64_t row = 0; row < rows; ++row) {
    targets.push_back(static_cast<int32_t>(generator() % classes));
  }
  targets[2] = -1;
  double expected = 0.0;
  for (int64_t row = 0; row < rows; ++row) {
    if (targets[row] < 0) continue;
    expected -= std::log(Probabilities(logits.data() + row * classes, classes)[targets[row]]);
  }
  auto evaluated = logits, gradient = logits;
  // The sum of exponentials is float32: classes / width roundings of 6e-8, relative.
  EXPECT_NEAR(SoftmaxCrossEntropy(rows, classes, targets.data(), evaluated.data(), false), expected,
              1e-6 * (1.0 + expected));
  EXPECT_NEAR(SoftmaxCrossEntropy(rows, classes, targets.data(), gradient.data(), true), expected,
              1e-6 * (1.0 + expected));
  for (int64_t row = 0; row < rows; ++row) {
    const auto p = Probabilities(logits.data() + row * classes, classes);
    double sum = 0.0;
    for (int64_t i = 0; i < classes; ++i) {
      const float value = gradient[row * classes + i];
      const double want = targets[row] < 0 ? 0.0 : p[i] - (i == targets[row] ? 1.0 : 0.0);
      ASSERT_NEAR(value, want, 1e-6) << "row " << row << " class " << i;
      ASSERT_TRUE(targets[row] >= 0 || value == 0.0f) << "row " << row << " does not count";
      sum += value;
    }
    EXPECT_NEAR(sum, 0.0, 1e-6) << "row " << row;
  }
}

TEST(SoftmaxCrossEntropyTest, IsAsInDouble) {
  for (const int64_t classes : {1, 2, 3, 7, 8, 9, 16, 17, 65, 1000}) {
    SCOPED_TRACE(classes);
    ExpectAsInDouble(classes, 4.0f);
  }
}

// torch.nn.CrossEntropyLoss with label_smoothing, weight and ignore_index.
TEST(SoftmaxCrossEntropyTest, SmoothingAndWeightsAreAsPyTorch) {
  using Floats = std::vector<float>;
  ASSERT_EQ(GoldenLabelers()["cross_entropy"].size(), 8u);
  for (const auto& golden : GoldenLabelers()["cross_entropy"]) {
    const int64_t classes = golden["classes"];
    const double smoothing = golden["smoothing"], expected = golden["loss"];
    const auto weights = golden["weights"].get<Floats>();
    SCOPED_TRACE(testing::Message() << classes << " classes, smoothing " << smoothing << ", "
                                    << weights.size() << " weights");
    const auto targets = golden["targets"].get<std::vector<int32_t>>();
    const CrossEntropyOptions options = {
        .label_smoothing = smoothing, .class_weights = weights.empty() ? nullptr : weights.data()};
    auto logits = golden["logits"].get<Floats>(), evaluated = logits;
    const auto rows = std::ssize(targets);
    EXPECT_NEAR(
        SoftmaxCrossEntropy(rows, classes, targets.data(), evaluated.data(), false, options),
        expected, 1e-6 * expected);
    EXPECT_NEAR(SoftmaxCrossEntropy(rows, classes, targets.data(), logits.data(), true, options),
                expected, 1e-6 * expected);
    EXPECT_THAT(logits,
                testing::Pointwise(testing::FloatNear(1e-6f), golden["gradient"].get<Floats>()));
  }
}

TEST(SoftmaxCrossEntropyTest, SmoothingOfHugeLogitsDoesNotOverflow) {
  for (const int64_t classes : {2, 65}) {
    std::vector<float> logits(classes, -1.5e38f);
    logits[1] = 1.5e38f;
    const int32_t target = 1;
    const double loss =
        SoftmaxCrossEntropy(1, classes, &target, logits.data(), true, {.label_smoothing = 0.5});
    const double share = 0.5 / static_cast<double>(classes);
    EXPECT_NEAR(loss / (share * 3e38 * static_cast<double>(classes - 1)), 1.0, 1e-6);
    EXPECT_NEAR(logits[0], -share, 1e-6);
  }
}

// By vectors and by single floats; where e^x is no normal float, it is 0.
TEST(SoftmaxCrossEntropyTest, SmallProbabilitiesAreAsInDouble) {
  const int64_t classes = 18;
  for (float x = 0.0f; x > -120.0f; x -= 0.37f) {
    std::vector<float> p(classes, x);
    p[0] = 0.0f;
    Softmax(1, classes, p.data());
    const double e = std::exp(static_cast<double>(x)), expected = e / (1.0 + 17.0 * e);
    for (int64_t i = 1; i < classes; ++i) {
      ASSERT_NEAR(p[i], x < -87.0f ? 0.0 : expected, 5e-7 * expected) << "e^" << x << ", " << i;
    }
  }
}

TEST(SoftmaxCrossEntropyTest, SoftmaxIsAsInDouble) {
  for (const int64_t classes : {1, 3, 16, 17, 65}) {
    std::mt19937 generator(classes);
    const auto logits = UniformValues(generator, 2 * classes, 9.0f);
    auto p = logits;
    Softmax(2, classes, p.data());
    for (int64_t row = 0; row < 2; ++row) {
      const auto expected = Probabilities(logits.data() + row * classes, classes);
      for (int64_t i = 0; i < classes; ++i) EXPECT_NEAR(p[row * classes + i], expected[i], 1e-6);
    }
  }
}

TEST(SoftmaxCrossEntropyTest, HugeLogitsDoNotOverflow) {
  for (const int64_t classes : {2, 65}) {
    for (const float bound : {100.0f, 1e4f, 1e30f, 1.5e38f}) {
      SCOPED_TRACE(bound);
      ExpectAsInDouble(classes, bound);
    }
  }
}

TEST(SoftmaxCrossEntropyTest, RowsThatDoNotCountMayHoldAnything) {
  std::vector<float> logits = {1.0f, 2.0f, std::numeric_limits<float>::quiet_NaN(), 0.0f};
  const std::vector<int32_t> targets = {1, -1};
  const double loss = SoftmaxCrossEntropy(2, 2, targets.data(), logits.data(), true);
  EXPECT_NEAR(loss, std::log1p(std::exp(-1.0)), 1e-6);
  EXPECT_EQ(logits[2], 0.0f);
  EXPECT_EQ(logits[3], 0.0f);
}

// A training that has diverged must show, wherever the NaN stands.
TEST(SoftmaxCrossEntropyTest, NanInAnyLogitReachesTheLoss) {
  for (int64_t place = 0; place < 19; ++place) {
    std::vector<float> logits(19, 0.5f);
    logits[place] = std::numeric_limits<float>::quiet_NaN();
    const int32_t target = 3;
    EXPECT_TRUE(std::isnan(SoftmaxCrossEntropy(1, 19, &target, logits.data(), false)))
        << "class " << place;
  }
}

}  // namespace
}  // namespace lockstep::worker
