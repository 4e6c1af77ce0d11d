#include "worker/panel_product.h"

#include <algorithm>
#include <random>
#include <vector>

#include <gtest/gtest.h>

#include "tests/worker/model_case.h"
#include "worker/threads.h"

namespace lockstep::worker {
namespace {

// A [m, k] with gaps behind its rows, and B [k, n] as it stands or transposed.
struct Operands {
  Operands(int64_t rows, int64_t columns, int64_t depth)
      : m(rows), n(columns), k(depth), a_stride(depth + 3) {
    std::mt19937 generator(static_cast<uint32_t>(m * 10000 + n * 100 + k));
    a = UniformValues(generator, m * a_stride, 1.0f);
    b = UniformValues(generator, k * n, 1.0f);
  }

  void Pack(PanelProduct& product, bool transposed) const {
    product.Pack(n, k, b.data(), transposed ? 1 : n, transposed ? k : 1);
  }

  double Element(int64_t i, int64_t j, bool transposed) const {
    double sum = 0.0;
    for (int64_t l = 0; l < k; ++l) {
      sum += static_cast<double>(a[i * a_stride + l]) * b[transposed ? j * k + l : l * n + j];
    }
    return sum;
  }

  int64_t m, n, k, a_stride;
  std::vector<float> a, b;
};

// 600 products below 1, added in float32.
constexpr double kTolerance = 5e-5;

// Rows around the 4 of a tile, columns around panels of every vector width, depths around the 256
// that a tile takes at a time.
TEST(PanelProductTest, EqualsPlainLoops) {
  PanelProduct product;  // one for all shapes
  for (const int64_t m : {1, 2, 3, 4, 5, 9}) {
    for (const int64_t n : {1, 11, 12, 13, 24, 25, 48, 50, 97}) {
      for (const int64_t k : {1, 7, 256, 257, 600}) {
        for (const bool transposed : {false, true}) {
          const Operands x(m, n, k);
          x.Pack(product, transposed);
          std::vector<float> c(m * n + 1, 7.0f), sum(m * n + 1, 7.0f);
          product.Multiply(m, x.a.data(), x.a_stride, c.data(), false);
          product.Multiply(m, x.a.data(), x.a_stride, sum.data(), true);
          SCOPED_TRACE(testing::Message() << m << " x " << n << " x " << k << " " << transposed);
          for (int64_t i = 0; i < m * n; ++i) {
            const double expected = x.Element(i / n, i % n, transposed);
            ASSERT_NEAR(c[i], expected, kTolerance) << "element " << i;
            ASSERT_NEAR(sum[i], 7.0 + expected, kTolerance) << "element " << i;
          }
          ASSERT_EQ(c[m * n], 7.0f) << "nothing is written behind C";
          ASSERT_EQ(sum[m * n], 7.0f) << "nothing is written behind C";
        }
      }
    }
  }
}

// Bit for bit: what a lane computes does not depend on the lanes beside it nor on the threads.
TEST(PanelProductTest, ARowDoesNotDependOnRowsAndThreads) {
  const Operands x(13, 97, 600);
  PanelProduct product;
  x.Pack(product, true);
  std::vector<float> all(x.m * x.n), part(x.m * x.n);
  const int threads = DefaultThreads();
  SetThreads(1);
  product.Multiply(x.m, x.a.data(), x.a_stride, all.data(), false);
  SetThreads(3);
  for (const int64_t rows : {1, 2, 3, 4, 5, 8}) {
    for (int64_t first = 0; first + rows <= x.m; ++first) {
      product.Multiply(rows, x.a.data() + first * x.a_stride, x.a_stride, part.data(), false);
      EXPECT_TRUE(std::equal(part.begin(), part.begin() + rows * x.n, all.begin() + first * x.n))
          << rows << " rows from row " << first;
    }
  }
  SetThreads(threads);
}

}  // namespace
}  // namespace lockstep::worker
