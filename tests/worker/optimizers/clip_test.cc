#include "worker/optimizers/clip.h"

#include <cmath>
#include <limits>
#include <random>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/worker/golden.h"
#include "tests/worker/model_case.h"
#include "worker/threads.h"

namespace lockstep::worker {
namespace {

using Floats = std::vector<float>;
using testing::FloatEq;
using testing::Pointwise;

TEST(ClipTest, IsAsPyTorchs) {
  const auto& golden = Golden()["clipping"];
  for (const auto& one : golden["cases"]) {
    SCOPED_TRACE(one["limit"].dump());
    Floats by_norm = golden["gradient"], by_value = by_norm;
    const double norm = GlobalNorm(by_norm);
    EXPECT_NEAR(norm, one["norm"], 1e-6 * norm);
    ClipByGlobalNorm(by_norm, norm, one["limit"]);
    ClipByValue(by_value, one["limit"]);
    EXPECT_THAT(by_norm, Pointwise(FloatEq(), one["by_norm"].get<Floats>()));
    EXPECT_THAT(by_value, Pointwise(FloatEq(), one["by_value"].get<Floats>()));
  }
}

TEST(ClipTest, NormIsExactOverBlocksAndDoesNotDependOnThreads) {
  std::mt19937 generator(1);
  const auto x = UniformValues(generator, 10007, 1e-3f);
  double squares = 0.0;
  for (const float value : x) squares += static_cast<double>(value) * value;
  const int threads = DefaultThreads();
  SetThreads(1);
  const double one = GlobalNorm(x);
  SetThreads(3);
  const double three = GlobalNorm(x);
  SetThreads(threads);
  EXPECT_NEAR(one, std::sqrt(squares), 1e-14);
  EXPECT_EQ(one, three);
  EXPECT_EQ(GlobalNorm({}), 0.0);
}

TEST(ClipTest, NormOfWhatOverflowsFloatAndOfNan) {
  Floats x(5000, 1e30f);
  EXPECT_NEAR(GlobalNorm(x) / (1e30 * std::sqrt(5000.0)), 1.0, 1e-6);
  x[4999] = std::numeric_limits<float>::quiet_NaN();
  EXPECT_TRUE(std::isnan(GlobalNorm(x)));
}

TEST(ClipTest, ScaleMultipliesEveryElement) {
  std::mt19937 generator(1);
  const auto x = UniformValues(generator, 1001, 1.0f);
  Floats scaled = x;
  Scale(scaled, 0.125);
  for (size_t i = 0; i < x.size(); ++i) ASSERT_EQ(scaled[i], x[i] / 8.0f) << i;
}

}  // namespace
}  // namespace lockstep::worker
