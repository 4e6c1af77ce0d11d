#include "worker/products/column_sum.h"

#include <cmath>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "tests/worker/model_case.h"
#include "worker/threads.h"

namespace lockstep::worker {
namespace {

TEST(ColumnSumTest, AddsRowsOfAnyStride) {
  for (const int64_t columns : {1, 3, 63, 64, 65, 200}) {
    const int64_t rows = 37, stride = columns + 5;
    std::mt19937 generator(columns);
    const auto x = UniformValues(generator, rows * stride, 1.0f);
    std::vector<float> sums(columns + 1, 2.0f);
    AddColumnSums(rows, columns, x.data(), stride, sums.data());
    for (int64_t j = 0; j < columns; ++j) {
      double expected = 2.0;
      for (int64_t row = 0; row < rows; ++row) expected += x[row * stride + j];
      // 37 additions of values below 10, each rounded by at most 5e-7.
      ASSERT_NEAR(sums[j], expected, 1e-5) << columns << " columns, column " << j;
    }
    EXPECT_EQ(sums[columns], 2.0f) << "nothing is written behind the last column";
  }
}

// In float the 2^24th one would be the last that counts: 2^24 + 1 = 2^24.
TEST(ColumnSumTest, DoesNotLoseWhatManyRowsAdd) {
  const int64_t rows = (int64_t{1} << 24) + (int64_t{1} << 22), columns = 2;
  const float one_row[columns] = {1.0f, -0.1f};
  float sums[columns] = {};
  AddColumnSums(rows, columns, one_row, 0, sums);  // the same row again and again
  for (int64_t j = 0; j < columns; ++j) {
    const double expected = static_cast<double>(rows) * one_row[j];
    EXPECT_NEAR(sums[j], expected, 0x1.0p-16 * std::abs(expected)) << "column " << j;
  }
}

TEST(ColumnSumTest, DoesNotDependOnThreads) {
  std::mt19937 generator(1);
  const int64_t rows = 301, columns = 333;
  const auto x = UniformValues(generator, rows * columns, 1.0f);
  std::vector<float> one(columns), three(columns);
  const int threads = DefaultThreads();
  SetThreads(1);
  AddColumnSums(rows, columns, x.data(), columns, one.data());
  SetThreads(3);
  AddColumnSums(rows, columns, x.data(), columns, three.data());
  SetThreads(threads);
  EXPECT_EQ(one, three);
}

}  // namespace
}  // namespace lockstep::worker
