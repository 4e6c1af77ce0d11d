// Every product of a training step, for every cell and for odd and even sizes: none runs on
// reference code, and each is right. Run under every instruction set that the machine has
// (tests/worker/under_instruction_set.sh): which code oneDNN offers depends on it and on the
// strides.
#include <iterator>
#include <map>
#include <random>
#include <string>
#include <tuple>
#include <vector>

#include <gtest/gtest.h>

#include "tests/worker/model_case.h"
#include "worker/models/language_model.h"
#include "worker/products/gemm.h"

namespace lockstep::worker {
namespace {

constexpr int64_t kHidden[] = {1, 7, 64, 200, 256, 512, 1000};
constexpr int64_t kLanes[] = {1, 2, 7, 64};

std::string Text(const ProductShape& s) {
  return testing::PrintToString(s.m) + " x " + testing::PrintToString(s.n) + " x " +
         testing::PrintToString(s.k) + ", A " + testing::PrintToString(s.a_stride) +
         (s.a_transposed ? "^T" : "") + ", B " + testing::PrintToString(s.b_stride) +
         (s.b_transposed ? "^T" : "") + ", C " + testing::PrintToString(s.c_stride) +
         (s.accumulate ? " +=" : "") + (s.bias ? " + bias" : "") + (s.packed ? ", packed" : "");
}

// The products that training steps of a cell prepare, and their engines.
std::map<ProductShape, std::string> ProductsOf(Cell cell, int64_t hidden, int64_t lanes) {
  std::map<ProductShape, std::string> products;
  ObserveProducts(
      [&](const ProductShape& shape, const std::string& engine) { products[shape] = engine; });
  // Few time steps, and those of a real step where that does not take long; a vocabulary for which
  // the first layer computes a table, one for which it does not, one-hot input, and a tied
  // embedding. Values do not matter here.
  struct Input {
    int64_t time_steps, vocabulary, embedding;
    bool tied = false;
  };
  std::vector<Input> inputs = {{2, 3, hidden}, {2, 300, hidden}, {2, 3, 0}, {2, 300, hidden, true}};
  if (lanes == 64 && hidden <= 256) inputs.push_back({64, 65, hidden});
  for (const Input& input : inputs) {
    LanguageModel model({.vocabulary_size = input.vocabulary,
                         .embedding_size = input.embedding,
                         .cell = cell,
                         .layers = 2,
                         .hidden_size = hidden,
                         .tie_embedding = input.tied});
    const std::vector<int32_t> tokens(input.time_steps * lanes, 1);
    RecurrentState state = model.ZeroState(lanes);
    model.Forward({input.time_steps, lanes, tokens.data(), tokens.data()}, state, {});
    model.Backward();
  }
  ObserveProducts({});
  return products;
}

// Uniform values that are made once and read from changing places.
const float* Values(int64_t count, int64_t shift) {
  static const std::vector<float> values = [] {
    std::mt19937 generator(7);
    return UniformValues(generator, size_t{1} << 23, 1.0f);
  }();
  EXPECT_LE(static_cast<size_t>(count + shift), values.size());
  return values.data() + shift;
}

void ExpectRight(const ProductShape& s) {
  const Matrix a = {Values((s.a_transposed ? s.k : s.m) * s.a_stride, 1), s.a_stride,
                    s.a_transposed};
  const Matrix b = {Values((s.b_transposed ? s.n : s.k) * s.b_stride, 5003), s.b_stride,
                    s.b_transposed};
  const float* bias = s.bias ? Values(s.n, 77) : nullptr;
  std::vector<float> c(s.m * s.c_stride, 0.5f);
  if (s.packed) {
    PackedMatrix packed;
    packed.Pack(s.m, s.n, s.k, s.a_stride, b);
    packed.Multiply(a.data, c.data(), s.accumulate);
  } else {
    MatMul(s.m, s.n, s.k, a, b, c.data(), s.c_stride, s.accumulate, bias);
  }
  // The corners and some between.
  const double tolerance = 1e-6 + 2e-7 * static_cast<double>(s.k);
  for (const int64_t i : {int64_t{0}, s.m / 3, s.m - 1}) {
    for (const int64_t j : {int64_t{0}, s.n / 5, s.n / 2, s.n - 2, s.n - 1}) {
      if (j < 0) continue;
      double sum = (s.accumulate ? 0.5 : 0.0) + (bias ? bias[j] : 0.0);
      for (int64_t l = 0; l < s.k; ++l) {
        const float left = a.data[a.transposed ? l * a.stride + i : i * a.stride + l];
        const float right = b.data[b.transposed ? j * b.stride + l : l * b.stride + j];
        sum += static_cast<double>(Taken(left)) * Taken(right);
      }
      ASSERT_NEAR(c[i * s.c_stride + j], sum, tolerance) << "row " << i << " column " << j;
    }
  }
}

class StepProductsTest : public testing::TestWithParam<std::tuple<Cell, Arithmetic>> {
 protected:
  void SetUp() override {
    if (!ArithmeticScope::CanPlay(arithmetic())) GTEST_SKIP() << "no instructions for bf16 here";
  }
  static Arithmetic arithmetic() { return std::get<Arithmetic>(GetParam()); }
  const ArithmeticScope arithmetic_{arithmetic()};
};

TEST_P(StepProductsTest, AreRightAndNeverOnReferenceCode) {
  int64_t count = 0;
  for (const int64_t hidden : kHidden) {
    for (const int64_t lanes : kLanes) {
      const auto products = ProductsOf(std::get<Cell>(GetParam()), hidden, lanes);
      for (const auto& [shape, engine] : products) {
        SCOPED_TRACE(Text(shape) + ": " + engine);
        EXPECT_EQ(shape.precision == Precision::kBf16,
                  arithmetic() == Arithmetic::kBf16Instructions);
        EXPECT_FALSE(IsReferenceEngine(engine));
        ExpectRight(shape);
      }
      count += std::ssize(products);
    }
  }
  // MatMul keeps what it has prepared, so what an earlier cell shares is not seen again; the packed
  // ones are.
  EXPECT_GE(count, std::ssize(kHidden) * std::ssize(kLanes));
}

INSTANTIATE_TEST_SUITE_P(Cells, StepProductsTest,
                         testing::Combine(testing::ValuesIn(AllCells()),
                                          testing::Values(Arithmetic::kFloat32)),
                         [](const auto& of) { return CellName(std::get<Cell>(of.param)); });
// These two have all shapes that there are.
INSTANTIATE_TEST_SUITE_P(InBf16, StepProductsTest,
                         testing::Combine(testing::Values(Cell::kLstm, Cell::kGruResetBefore),
                                          testing::Values(Arithmetic::kBf16Rounded,
                                                          Arithmetic::kBf16Instructions)),
                         [](const auto& of) {
                           return CellName(std::get<Cell>(of.param)) +
                                  ArithmeticName(std::get<Arithmetic>(of.param));
                         });

}  // namespace
}  // namespace lockstep::worker
