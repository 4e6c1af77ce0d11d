#include "worker/products/panel_product.h"

#include <algorithm>
#include <random>
#include <utility>
#include <vector>

#include <gtest/gtest.h>

#include "tests/worker/model_case.h"
#include "worker/threads.h"

namespace lockstep::worker {
namespace {

// A [m, k] and B [k, n] as they stand or transposed, with gaps behind the rows of A and C.
struct Operands {
  Operands(int64_t rows, int64_t columns, int64_t depth, bool a_flipped, bool b_flipped,
           Precision of)
      : precision(of),
        m(rows),
        n(columns),
        k(depth),
        a_transposed(a_flipped),
        b_transposed(b_flipped),
        a_stride((a_flipped ? rows : depth) + 3),
        c_stride(columns + 2) {
    std::mt19937 generator(static_cast<uint32_t>(m * 10000 + n * 100 + k));
    a = UniformValues(generator, (a_transposed ? k : m) * a_stride, 1.0f);
    b = UniformValues(generator, k * n, 1.0f);
    bias = UniformValues(generator, n, 1.0f);
    before = UniformValues(generator, m * c_stride, 1.0f);
  }

  void Pack(PanelProduct& product) const {
    product.Pack(n, k, b.data(), b_transposed ? 1 : n, b_transposed ? k : 1, precision);
  }

  // Rows from `first` on, to `c`.
  PanelOperands From(int64_t first, float* c) const {
    const int64_t row = a_transposed ? 1 : a_stride;
    return {a.data() + first * row, row, a_transposed ? a_stride : 1, c, c_stride};
  }

  double Element(int64_t i, int64_t j) const {
    double sum = 0.0;
    for (int64_t l = 0; l < k; ++l) {
      const float left = a[a_transposed ? l * a_stride + i : i * a_stride + l];
      sum += static_cast<double>(Taken(left, precision)) *
             Taken(b[b_transposed ? j * k + l : l * n + j], precision);
    }
    return sum;
  }

  Precision precision;
  int64_t m, n, k;
  bool a_transposed, b_transposed;
  int64_t a_stride, c_stride;
  std::vector<float> a, b, bias, before;
};

// 1,051 products below 1, added in float32.
constexpr double kTolerance = 1e-4;

void ExpectEqualsPlainLoops(PanelProduct& product, const Operands& x) {
  x.Pack(product);
  std::vector<float> plain = x.before, sum = x.before, with_bias = x.before;
  PanelOperands operands = x.From(0, plain.data());
  product.Multiply(x.m, operands);
  operands.c = with_bias.data();
  operands.bias = x.bias.data();
  product.Multiply(x.m, operands);
  operands.c = sum.data();
  operands.bias = nullptr;
  operands.accumulate = true;
  product.Multiply(x.m, operands);
  for (int64_t i = 0; i < x.m; ++i) {
    for (int64_t j = 0; j < x.c_stride; ++j) {
      const int64_t at = i * x.c_stride + j;
      if (j >= x.n) {
        ASSERT_EQ(plain[at], x.before[at]) << "the gap behind row " << i << " was written";
        ASSERT_EQ(sum[at], x.before[at]) << "the gap behind row " << i << " was written";
        continue;
      }
      const double expected = x.Element(i, j);
      ASSERT_NEAR(plain[at], expected, kTolerance) << "row " << i << " column " << j;
      ASSERT_NEAR(with_bias[at], expected + x.bias[j], kTolerance) << i << ", " << j;
      ASSERT_NEAR(sum[at], x.before[at] + expected, kTolerance) << i << ", " << j;
    }
  }
}

class PanelProductTest : public testing::TestWithParam<Precision> {
 protected:
  void SetUp() override {
    if (GetParam() == Precision::kBf16 && !HasBfloat16Instructions()) {
      GTEST_SKIP() << "no instructions for bf16 here";
    }
  }
};

// Rows around the 4 and 8 of a tile, columns around panels of every vector width, depths around
// what a tile takes at a time (512 floats or pairs with AVX-512 and SSE4, 256 with AVX2).
TEST_P(PanelProductTest, EqualsPlainLoops) {
  PanelProduct product;  // one for all shapes
  for (const int64_t m : {1, 2, 3, 4, 5, 8, 9, 17}) {
    for (const int64_t n : {1, 11, 12, 13, 24, 25, 48, 50, 97}) {
      for (const int64_t k : {1, 7, 257, 511, 513, 1051}) {
        for (const bool a_transposed : {false, true}) {
          const Operands x(m, n, k, a_transposed, (m + n) % 2 == 0, GetParam());
          SCOPED_TRACE(testing::Message() << m << " x " << n << " x " << k << ", transposed "
                                          << x.a_transposed << x.b_transposed);
          ExpectEqualsPlainLoops(product, x);
        }
      }
    }
  }
}

// Bit for bit: what a lane computes does not depend on the lanes beside it nor on the threads.
TEST_P(PanelProductTest, ARowDoesNotDependOnRowsAndThreads) {
  const Operands x(23, 97, 1100, false, true, GetParam());
  PanelProduct product;
  x.Pack(product);
  std::vector<float> all(x.m * x.c_stride), part(x.m * x.c_stride);
  const int threads = DefaultThreads();
  SetThreads(1);
  product.Multiply(x.m, x.From(0, all.data()));
  SetThreads(3);
  for (const int64_t rows : {1, 2, 3, 4, 5, 8, 11}) {
    for (int64_t first = 0; first + rows <= x.m; ++first) {
      product.Multiply(rows, x.From(first, part.data()));
      EXPECT_TRUE(std::equal(part.begin(), part.begin() + rows * x.c_stride,
                             all.begin() + first * x.c_stride))
          << rows << " rows from row " << first;
    }
  }
  SetThreads(threads);
}

// A of many rows is taken in blocks (of 192 rows, or 96 with AVX-512), on any number of threads:
// the same bits as a few rows alone. Columns of which one vector would be left over are among them.
TEST_P(PanelProductTest, BlocksOfManyRowsChangeNothing) {
  PanelProduct product;
  const int threads = DefaultThreads();
  const int64_t many = 512;
  for (const int64_t m : {many, many + 67}) {
    for (const int64_t n : {1, 16, 31, 32, 49, 97}) {
      for (const bool a_transposed : {false, true}) {
        const Operands x(m, n, n == 31 ? 600 : 131, a_transposed, n % 2 == 0, GetParam());
        SCOPED_TRACE(testing::Message() << m << " x " << n << " x " << x.k << ", transposed "
                                        << x.a_transposed << x.b_transposed);
        SetThreads(n % 3 + 1);
        ExpectEqualsPlainLoops(product, x);
        std::vector<float> all = x.before, few = x.before;
        PanelOperands operands = x.From(0, all.data());
        operands.accumulate = true;
        product.Multiply(m, operands);
        for (int64_t first = 0; first < m; first += 3) {
          operands = x.From(first, few.data() + first * x.c_stride);
          operands.accumulate = true;
          product.Multiply(std::min<int64_t>(3, m - first), operands);
        }
        EXPECT_EQ(all, few);
      }
    }
  }
  SetThreads(threads);
}

// A large B is gone by in parts, of its rows or of its columns, by many rows: the same bits as a
// few rows alone, and on the way the sums of a copied A's rows.
TEST_P(PanelProductTest, PartsOfALargeBChangeNothing) {
  PanelProduct product;
  const int threads = DefaultThreads();
  SetThreads(3);
  const int64_t m = 515;
  for (const auto& [n, k] : {std::pair<int64_t, int64_t>{299, 7200}, {2210, 1000}}) {
    const PanelExtent part = PanelProduct::ExtentOf(n, k);
    ASSERT_NE(part.columns < n, part.rows < k);
    for (const bool a_transposed : {false, true}) {
      const Operands x(m, n, k, a_transposed, true, GetParam());
      SCOPED_TRACE(testing::Message() << n << " x " << k << ", transposed " << a_transposed);
      x.Pack(product);
      std::vector<float> all = x.before, few = x.before, sums(m, 0.5f);
      PanelOperands operands = x.From(0, all.data());
      operands.accumulate = a_transposed;
      const bool adds =
          PanelProduct::CopiesRows(m, k, a_transposed) && GetParam() == Precision::kFloat32;
      if (adds) operands.a_sums = sums.data();
      product.Multiply(m, operands);
      for (int64_t first = 0; first < m; first += 5) {
        operands = x.From(first, few.data() + first * x.c_stride);
        operands.accumulate = a_transposed;
        product.Multiply(5, operands);
      }
      EXPECT_EQ(all, few);
      for (int64_t i = 0; i < m; i += 7) {
        const int64_t j = i * (n - 1) / (m - 1), at = i * x.c_stride + j;
        const double before = a_transposed ? x.before[at] : 0.0;
        ASSERT_NEAR(all[at], before + x.Element(i, j), 3 * kTolerance) << i << ", " << j;
        if (!adds) continue;
        double sum = 0.5;
        for (int64_t l = 0; l < k; ++l) {
          sum += x.a[a_transposed ? l * x.a_stride + i : i * x.a_stride + l];
        }
        ASSERT_NEAR(sums[i], sum, kTolerance) << i;
      }
    }
  }
  SetThreads(threads);
}

INSTANTIATE_TEST_SUITE_P(Precisions, PanelProductTest,
                         testing::Values(Precision::kFloat32, Precision::kBf16),
                         [](const auto& of) {
                           return of.param == Precision::kBf16 ? "Bf16" : "Float32";
                         });

// All of each piece, once, whatever the number of threads.
TEST(AheadTest, ThreadsFetchAllOfIt) {
  const std::vector<float> first(1000), second(37);
  Ahead ahead;
  ahead.Add(first.data(), std::ssize(first));
  ahead.Add(second.data(), std::ssize(second));
  ASSERT_EQ(ahead.bytes(), 4148);
  for (const int64_t threads : {1, 2, 3, 7}) {
    std::vector<int> fetched(1037);
    for (int64_t thread = 0; thread < threads; ++thread) {
      Ahead own = ahead.Of(thread, threads);
      for (int64_t left = own.bytes(); left > 0; left = own.bytes()) {
        const auto* data = static_cast<const float*>(own.Take(4));
        ASSERT_NE(data, nullptr);
        const bool of_first = data >= first.data() && data < first.data() + first.size();
        ++fetched[of_first ? data - first.data() : 1000 + (data - second.data())];
        ASSERT_EQ(own.bytes(), left - 4);
      }
      ASSERT_EQ(own.Take(4), nullptr);
    }
    for (const int times : fetched) ASSERT_EQ(times, 1) << threads << " threads";
  }
}

}  // namespace
}  // namespace lockstep::worker
