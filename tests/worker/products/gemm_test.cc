#include "worker/products/gemm.h"

#include <algorithm>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include <gtest/gtest.h>

#include "tests/worker/model_case.h"
#include "worker/products/bfloat16.h"
#include "worker/products/column_sum.h"
#include "worker/threads.h"

namespace lockstep::worker {
namespace {

// The operands of one product, with gaps behind the rows of each.
struct Operands {
  Operands(int64_t rows, int64_t columns, int64_t depth, bool a_flipped, bool b_flipped)
      : m(rows), n(columns), k(depth), a_transposed(a_flipped), b_transposed(b_flipped) {
    std::mt19937 generator(static_cast<uint32_t>(m * 10000 + n * 100 + k));
    a_values = UniformValues(generator, (a_transposed ? k : m) * a_stride(), 1.0f);
    b_values = UniformValues(generator, (b_transposed ? n : k) * b_stride(), 1.0f);
    bias = UniformValues(generator, n, 1.0f);
    before = UniformValues(generator, m * c_stride(), 1.0f);
  }

  int64_t a_stride() const { return (a_transposed ? m : k) + 3; }
  int64_t b_stride() const { return (b_transposed ? k : n) + 1; }
  int64_t c_stride() const { return n + 2; }
  Matrix a() const { return {a_values.data(), a_stride(), a_transposed}; }
  Matrix b() const { return {b_values.data(), b_stride(), b_transposed}; }

  double Product(int64_t i, int64_t j) const {
    double sum = 0.0;
    for (int64_t l = 0; l < k; ++l) {
      const float left = a_values[a_transposed ? l * a_stride() + i : i * a_stride() + l];
      const float right = b_values[b_transposed ? j * b_stride() + l : l * b_stride() + j];
      sum += static_cast<double>(Taken(left)) * Taken(right);
    }
    return sum;
  }

  int64_t m, n, k;
  bool a_transposed, b_transposed;
  std::vector<float> a_values, b_values, bias, before;
};

// k products of values below 1, added in float32: k roundings of 3e-8 times a sum that grows as
// sqrt(k), doubled.
double Tolerance(int64_t k) { return 1e-6 + 1e-7 * static_cast<double>(k); }

struct Shape {
  int64_t m, n, k;
};

// One of everything; below, at and above vectors; what a training does (few lanes, T B rows, sums
// over T B).
const Shape kShapes[] = {{1, 1, 1},   {1, 5, 3},    {3, 1, 7},     {5, 7, 1},   {2, 16, 8},
                         {9, 33, 37}, {17, 20, 65}, {31, 148, 37}, {64, 65, 9}, {7, 129, 300}};

void ExpectMatMulAsLoops(const Operands& x, bool accumulate, bool with_bias) {
  std::vector<float> c = x.before;
  MatMul(x.m, x.n, x.k, x.a(), x.b(), c.data(), x.c_stride(), accumulate,
         with_bias ? x.bias.data() : nullptr);
  for (int64_t i = 0; i < x.m; ++i) {
    for (int64_t j = 0; j < x.c_stride(); ++j) {
      const int64_t at = i * x.c_stride() + j;
      if (j >= x.n) {
        ASSERT_EQ(c[at], x.before[at]) << "the gap behind row " << i << " was written";
        continue;
      }
      const double expected =
          x.Product(i, j) + (accumulate ? x.before[at] : 0.0) + (with_bias ? x.bias[j] : 0.0);
      ASSERT_NEAR(c[at], expected, Tolerance(x.k)) << "row " << i << " column " << j;
    }
  }
}

class MatMulTest : public testing::TestWithParam<Arithmetic> {
 protected:
  void SetUp() override {
    if (!ArithmeticScope::CanPlay(GetParam())) GTEST_SKIP() << "no instructions for bf16 here";
  }
  const ArithmeticScope arithmetic_{GetParam()};
};
class PackedMatrixTest : public MatMulTest {};

TEST_P(MatMulTest, EqualsPlainLoops) {
  for (const Shape& shape : kShapes) {
    for (const bool a_transposed : {false, true}) {
      for (const bool b_transposed : {false, true}) {
        const Operands x(shape.m, shape.n, shape.k, a_transposed, b_transposed);
        SCOPED_TRACE(testing::Message() << x.m << " x " << x.n << " x " << x.k << ", transposed "
                                        << a_transposed << b_transposed);
        ExpectMatMulAsLoops(x, false, false);
        ExpectMatMulAsLoops(x, true, false);
        ExpectMatMulAsLoops(x, false, true);
      }
    }
  }
}

// Bit for bit the same result for the same shapes and threads is what resuming a training rests on.
// Another number of rows is free to give other last digits: on AVX2 oneDNN 2.6.3 does so.
TEST_P(MatMulTest, IsReproducible) {
  for (const Shape& shape : kShapes) {
    const Operands x(shape.m, shape.n, shape.k, false, true);
    std::vector<float> first = x.before, second = x.before;
    MatMul(x.m, x.n, x.k, x.a(), x.b(), first.data(), x.c_stride());
    MatMul(x.m, x.n, x.k, x.a(), x.b(), second.data(), x.c_stride());
    EXPECT_EQ(first, second) << x.m << " x " << x.n << " x " << x.k;
  }
}

// Also products that were prepared with another number of threads.
TEST_P(MatMulTest, IsRightOnAnyNumberOfThreads) {
  const int threads = DefaultThreads();
  const Operands x(45, 67, 89, false, true);
  for (const int count : {1, 3, 2, 1}) {
    SetThreads(count);
    SCOPED_TRACE(count);
    ExpectMatMulAsLoops(x, false, true);
  }
  SetThreads(threads);
}

void ExpectPackedAsLoops(const PackedMatrix& packed, const Operands& x) {
  // Multiply writes dense rows.
  std::vector<float> c(x.m * x.n, -9.0f);
  packed.Multiply(x.a_values.data(), c.data());
  const std::vector<float> once = c;
  packed.Multiply(x.a_values.data(), c.data(), true);
  for (int64_t i = 0; i < x.m; ++i) {
    for (int64_t j = 0; j < x.n; ++j) {
      const double expected = x.Product(i, j);
      ASSERT_NEAR(once[i * x.n + j], expected, Tolerance(x.k)) << "row " << i << " column " << j;
      ASSERT_NEAR(c[i * x.n + j], 2 * expected, 2 * Tolerance(x.k)) << "accumulated";
    }
  }
}

TEST_P(PackedMatrixTest, EqualsPlainLoopsAfterEveryPack) {
  PackedMatrix packed;  // one for all shapes
  for (const Shape& shape : kShapes) {
    for (const bool transposed : {false, true}) {
      Operands x(shape.m, shape.n, shape.k, false, transposed);
      SCOPED_TRACE(testing::Message() << x.m << " x " << x.n << " x " << x.k << " " << transposed);
      packed.Pack(x.m, x.n, x.k, x.a_stride(), x.b());
      ExpectPackedAsLoops(packed, x);
      for (float& weight : x.b_values) weight = 0.5f - weight;  // as after an optimizer's step
      packed.Pack(x.m, x.n, x.k, x.a_stride(), x.b());
      ExpectPackedAsLoops(packed, x);
    }
  }
}

TEST_P(PackedMatrixTest, TakesRowsOfAnotherStride) {
  const Operands narrow(9, 33, 37, false, true);
  PackedMatrix packed;
  packed.Pack(narrow.m, narrow.n, narrow.k, narrow.a_stride(), narrow.b());
  ExpectPackedAsLoops(packed, narrow);
  std::vector<float> dense, expected(narrow.m * narrow.n), c(narrow.m * narrow.n);
  for (int64_t i = 0; i < narrow.m; ++i) {
    const float* row = narrow.a_values.data() + i * narrow.a_stride();
    dense.insert(dense.end(), row, row + narrow.k);
  }
  packed.Multiply(narrow.a_values.data(), expected.data());
  packed.Pack(narrow.m, narrow.n, narrow.k, narrow.k, narrow.b());
  packed.Multiply(dense.data(), c.data());
  for (size_t i = 0; i < c.size(); ++i) ASSERT_NEAR(c[i], expected[i], Tolerance(narrow.k));
}

TEST_P(MatMulTest, EqualsPlainLoopsWhereRowsVary) {
  const VaryingRows varying;
  for (const Shape& shape : kShapes) {
    for (int kind = 0; kind < 16; ++kind) {
      const Operands x(shape.m, shape.n, shape.k, (kind & 1) != 0, (kind & 2) != 0);
      const bool accumulate = (kind & 4) != 0;
      ExpectMatMulAsLoops(x, accumulate, (kind & 8) != 0 && !accumulate);
    }
  }
}

// Nothing is prepared for another number of rows, be they M or K.
TEST_P(MatMulTest, PreparesOnceForAllNumbersOfRows) {
  int64_t prepared = 0;
  ObserveProducts([&](const ProductShape&, const std::string&) { ++prepared; });
  // Another one for each way: rounded operands are multiplied by float32's products.
  const int64_t columns = 43 + static_cast<int64_t>(GetParam());
  const std::vector<float> a(50 * 50, 1.0f), b(50 * 50, 1.0f);
  std::vector<float> c(50 * 50);
  for (const bool on : {true, false}) {
    const VaryingRows varying(on);
    EXPECT_EQ(VaryingRows::IsOn(), on);
    prepared = 0;
    for (int64_t rows = 31; rows < 41; ++rows) {
      MatMul(rows, columns, 17, {a.data(), 17}, {b.data(), columns}, c.data(), columns);
      MatMul(17, columns, rows, {a.data(), 17, true}, {b.data(), columns}, c.data(), columns, true);
    }
    EXPECT_EQ(prepared, on ? 2 : 20);
  }
  ObserveProducts({});
}

// B of more than two million elements passes through panels in blocks: of its rows where these are
// short, else of its columns.
TEST(GemmTest, WideProductsEqualPlainLoops) {
  struct Wide {
    int64_t m, n, k;
  };
  for (const auto [m, n, k] : {Wide{512, 401, 8191}, Wide{512, 3001, 1023}}) {
    std::mt19937 generator(3);
    const auto a = UniformValues(generator, m * k, 1.0f), b = UniformValues(generator, k * n, 1.0f),
               bias = UniformValues(generator, n, 1.0f);
    std::vector<float> c(m * n);
    for (const bool transposed : {false, true}) {
      for (const bool accumulate : {false, true}) {
        const std::vector<float> before = c;
        MatMul(m, n, k, {a.data(), k}, {b.data(), transposed ? k : n, transposed}, c.data(), n,
               accumulate, accumulate ? nullptr : bias.data());
        for (const int64_t i : {int64_t{0}, m - 1}) {
          for (int64_t j = 0; j < n; ++j) {
            double sum = accumulate ? before[i * n + j] : bias[j];
            for (int64_t l = 0; l < k; ++l) {
              sum += static_cast<double>(a[i * k + l]) * b[transposed ? j * k + l : l * n + j];
            }
            ASSERT_NEAR(c[i * n + j], sum, 2e-3) << i << ", " << j;
          }
        }
      }
    }
  }
}

// By what else multiplies, and by panels, which sum on the way, once for each part of a large B.
TEST_P(MatMulTest, LinearGradientsAreAProductAndSums) {
  for (const auto& [outputs, inputs, rows] :
       {Shape{31, 17, 65}, {4100, 257, 300}, {4100, 2100, 1023}, {4100, 257, 8200}}) {
    SCOPED_TRACE(testing::Message() << outputs << " x " << inputs << ", " << rows << " rows");
    const Operands d(outputs, 1, rows, true, false);
    std::mt19937 generator(1);
    const auto x = UniformValues(generator, rows * inputs, 1.0f);
    std::vector<float> gradient(outputs * inputs, 1.0f), sums(outputs, 0.5f), expected = sums;
    AddLinearGradients(rows, outputs, inputs, d.a_values.data(), d.a_stride(), x.data(),
                       gradient.data(), sums.data());
    AddColumnSums(rows, outputs, d.a_values.data(), d.a_stride(), expected.data());
    for (int64_t i = 0; i < outputs; ++i) ASSERT_NEAR(sums[i], expected[i], 1e-4) << i;
    for (int64_t i = 0; i < outputs; i += 29) {
      const int64_t j = i * (inputs - 1) / (outputs - 1);
      double product = 1.0;
      for (int64_t row = 0; row < rows; ++row) {
        product += static_cast<double>(Taken(d.a_values[row * d.a_stride() + i])) *
                   Taken(x[row * inputs + j]);
      }
      ASSERT_NEAR(gradient[i * inputs + j], product, Tolerance(rows)) << i << ", " << j;
    }
  }
}

TEST_P(PackedMatrixTest, TakesAnyNumberOfRows) {
  PackedMatrix packed;
  for (const bool transposed : {false, true}) {
    const Operands x(11, 67, 45, false, transposed);
    const int64_t stride = x.n + 3;
    std::vector<float> bias(x.n), all(x.m * stride);
    for (int64_t j = 0; j < x.n; ++j) bias[j] = 0.01f * static_cast<float>(j);
    packed.PackForAnyRows(x.n, x.k, x.a_stride(), x.b(), stride);
    packed.Multiply(x.m, x.a_values.data(), all.data(), false, bias.data());
    for (int64_t rows = 0; rows <= x.m; ++rows) {
      std::vector<float> c(x.m * stride, -9.0f);
      packed.Multiply(rows, x.a_values.data(), c.data(), false, bias.data());
      for (int64_t i = 0; i < x.m; ++i) {
        for (int64_t j = 0; j < stride; ++j) {
          const float value = c[i * stride + j];
          if (i >= rows || j >= x.n) {
            ASSERT_EQ(value, -9.0f) << rows << " rows, row " << i << " column " << j;
            continue;
          }
          ASSERT_NEAR(value, x.Product(i, j) + bias[j], Tolerance(x.k)) << i << " " << j;
          ASSERT_EQ(value, all[i * stride + j]) << rows << " rows, row " << i << " column " << j;
        }
      }
    }
    packed.PackForAnyRows(x.n, x.k, x.a_stride(), x.b());
    std::vector<float> c(2 * x.n, 1.0f);
    packed.Multiply(2, x.a_values.data(), c.data(), true);
    for (int64_t j = 0; j < x.n; ++j) {
      ASSERT_NEAR(c[x.n + j], 1.0 + x.Product(1, j), Tolerance(x.k));
    }
  }
}

TEST_P(PackedMatrixTest, RefusesRowsThatItWasNotPackedFor) {
  const Operands x(4, 5, 6, false, false);
  PackedMatrix packed;
  packed.Pack(x.m, x.n, x.k, x.a_stride(), x.b());
  std::vector<float> c(x.m * x.n);
  EXPECT_THROW(packed.Multiply(5, x.a_values.data(), c.data()), std::logic_error);
  // Fewer are what threads share.
  if (packed.threads_may_share()) {
    packed.Multiply(3, x.a_values.data(), c.data());
    for (int64_t j = 0; j < x.n; ++j) {
      EXPECT_NEAR(c[2 * x.n + j], x.Product(2, j), Tolerance(x.k));
      EXPECT_EQ(c[3 * x.n + j], 0.0f);
    }
  } else {
    EXPECT_THROW(packed.Multiply(3, x.a_values.data(), c.data()), std::logic_error);
  }
  EXPECT_THROW(packed.Multiply(4, x.a_values.data(), c.data(), false, c.data()), std::logic_error);
}

// What was packed stays as it was packed.
TEST_P(PackedMatrixTest, KeepsItsPrecision) {
  const Operands x(9, 33, 37, false, true);
  PackedMatrix packed;
  packed.Pack(x.m, x.n, x.k, x.a_stride(), x.b());
  std::vector<float> before(x.m * x.n), after(x.m * x.n);
  packed.Multiply(x.a_values.data(), before.data());
  const PrecisionScope other(GetParam() == Arithmetic::kFloat32 ? Precision::kBf16
                                                                : Precision::kFloat32);
  packed.Multiply(x.a_values.data(), after.data());
  EXPECT_EQ(before, after);
  packed.Pack(x.m, x.n, x.k, x.a_stride(), x.b());
  packed.Multiply(x.a_values.data(), after.data());
  EXPECT_NE(before, after);
  ExpectPackedAsLoops(packed, x);
}

std::string NameOf(const testing::TestParamInfo<Arithmetic>& of) {
  return ArithmeticName(of.param);
}
INSTANTIATE_TEST_SUITE_P(All, MatMulTest, testing::ValuesIn(kAllArithmetic), NameOf);
INSTANTIATE_TEST_SUITE_P(All, PackedMatrixTest, testing::ValuesIn(kAllArithmetic), NameOf);

TEST(GemmTest, DescribesItself) {
  EXPECT_TRUE(GemmDescription().starts_with("2.") || GemmDescription().starts_with("3."))
      << GemmDescription();
}

TEST(GemmTest, KnowsReferenceCodeByItsName) {
  for (const char* name : {"oneDNN ref:any", "oneDNN ref", "oneDNN gemm:ref", "ref:any"}) {
    EXPECT_TRUE(IsReferenceEngine(name)) << name;
  }
  for (const char* name : {"oneDNN gemm:jit", "oneDNN brg:avx512_core", "jit:prefix", "refined"}) {
    EXPECT_FALSE(IsReferenceEngine(name)) << name;
  }
}

TEST(GemmTest, TellsWhichEnginesMultiply) {
  std::vector<std::string> seen;
  ObserveProducts([&](const ProductShape&, const std::string& engine) { seen.push_back(engine); });
  const Operands x(11, 13, 19, false, false);  // a shape of no other test here
  ExpectMatMulAsLoops(x, false, false);
  ASSERT_EQ(seen.size(), 1u);
  const int64_t before = ProductEngines().at(seen[0]);
  ExpectMatMulAsLoops(x, false, false);
  EXPECT_EQ(ProductEngines().at(seen[0]), before) << "the product was prepared twice";
  ExpectMatMulAsLoops(x, false, true);
  EXPECT_EQ(seen.size(), 2u);
  ObserveProducts({});
}

// Batches of many lengths must not fill the memory: what was used long ago is forgotten and, when
// it comes again, made again.
TEST(GemmTest, ForgetsProductsOfLongAgo) {
  int64_t prepared = 0;
  ObserveProducts([&](const ProductShape&, const std::string&) { ++prepared; });
  const std::vector<float> a(3000, 1.0f), b(2, 1.0f);
  std::vector<float> c(3000);
  const auto run = [&](int64_t m) {
    MatMul(m, 1, 1, {a.data(), 1}, {b.data(), 1}, c.data(), 1);
    ASSERT_EQ(c[m - 1], 1.0f);
  };
  run(1);
  for (int64_t m = 2; m <= 3000; ++m) {
    run(m);
    if (m % 100 == 0) run(1);  // in use, so never forgotten
  }
  EXPECT_EQ(prepared, 3000);
  run(1);
  EXPECT_EQ(prepared, 3000);
  run(2);
  EXPECT_EQ(prepared, 3001) << "nothing was forgotten";
  ObserveProducts({});
}

}  // namespace
}  // namespace lockstep::worker
