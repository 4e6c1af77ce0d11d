#include "worker/layers/token_table.h"

#include <algorithm>

#include "worker/products/bfloat16.h"
#include "worker/products/column_sum.h"
#include "worker/products/gemm.h"

namespace lockstep::worker {
namespace {

constexpr int64_t kRowsOfATable = 8192;

// table[token] += d over rows [begin, end) of few columns, and sums += the same over all tokens.
inline void AddFewColumns(int64_t begin, int64_t end, const int32_t* tokens, const float* d,
                          int64_t stride, int64_t columns, int64_t width, float* table,
                          double* sums) {
  constexpr int64_t kAhead = 16, kLineFloats = 16;  // rows, which lie far apart
  SumFewColumns(end - begin, columns, d + begin * stride, stride, sums,
                [&](int64_t row, const float* values) {
                  for (int64_t j = 0; j < columns; j += kLineFloats) {
                    __builtin_prefetch(values + kAhead * stride + j);
                  }
                  float* of_token = table + tokens[begin + row] * width;
                  for (int64_t j = 0; j < columns; ++j) of_token[j] += values[j];
                });
}

// table[token] += the gradient of the input side, over rows [begin, end), and sums as above.
void AddToTable(int64_t begin, int64_t end, const int32_t* tokens, int64_t width,
                const InputSideGradient& gradient, float* table, double* sums) {
  const auto add = [&](int64_t first, int64_t last, const float* d, int64_t stride) {
#pragma omp for schedule(static) nowait
    for (int64_t column = first; column < last; column += kSumColumns) {
      const float* block = d + column - first;
      float* to = table + column;
      double* sum = sums + column;
      if (last - column >= kSumColumns) {
        AddFewColumns(begin, end, tokens, block, stride, kSumColumns, width, to, sum);
      } else {
        AddFewColumns(begin, end, tokens, block, stride, last - column, width, to, sum);
      }
    }
  };
#pragma omp parallel
  {
    add(0, gradient.shared, gradient.pre, gradient.pre_stride);
    add(gradient.shared, width, gradient.rest, width - gradient.shared);
  }
}

}  // namespace

void TokenTable::Forward(const TokenVectors& of, const InputWeights& weights, const float* bias) {
  const int64_t width = weights.width, I = weights.input_size, V = of.vocabulary_size;
  float* table = table_.Require(V * width);
  if (of.vectors) {
    MatMul(V, width, I, {of.vectors, I}, {weights.weights, I, true}, table, width, false, bias);
  } else {
    // Products of one-hot vectors, rounded as such.
    const bool rounds = ProductPrecision() == Precision::kBf16;
#pragma omp parallel for schedule(static)
    for (int64_t token = 0; token < I; ++token) {
      for (int64_t j = 0; j < width; ++j) {
        const float weight = weights.weights[j * I + token];
        table[token * width + j] = (rounds ? RoundedToBfloat16(weight) : weight) + bias[j];
      }
    }
  }
}

void TokenTable::Gather(int64_t rows, const int32_t* tokens, int64_t vocabulary_size, int64_t width,
                        const InputSideGradient& gradient, float* sums) {
  const int64_t size = vocabulary_size * width;
  float* table = table_.Require(size);
  std::fill_n(table, size, 0.0f);
  sums_.assign(width, 0.0);
  AddToTable(0, std::min(rows, kRowsOfATable), tokens, width, gradient, table, sums_.data());
  // The error of a float32 sum grows with its terms, so many rows make several tables first.
  for (int64_t begin = kRowsOfATable; begin < rows; begin += kRowsOfATable) {
    float* part = part_.Require(size);
    std::fill_n(part, size, 0.0f);
    AddToTable(begin, std::min(rows, begin + kRowsOfATable), tokens, width, gradient, part,
               sums_.data());
#pragma omp parallel for simd schedule(static)
    for (int64_t i = 0; i < size; ++i) table[i] += part[i];
  }
  for (int64_t j = 0; j < width; ++j) sums[j] = static_cast<float>(sums[j] + sums_[j]);
}

void TokenTable::Backward(const TokenVectors& of, const InputWeights& weights, float* d_weights) {
  const int64_t width = weights.width, I = weights.input_size, V = of.vocabulary_size;
  const float* table = table_.data();
  if (of.vectors) {
    MatMul(width, I, V, {table, width, true}, {of.vectors, I}, d_weights, I, true);
    MatMul(V, I, width, {table, width}, {weights.weights, I}, of.d_vectors, I, true);
    return;
  }
#pragma omp parallel for schedule(static)
  for (int64_t j = 0; j < width; ++j) {
    for (int64_t token = 0; token < I; ++token)
      d_weights[j * I + token] += table[token * width + j];
  }
}

}  // namespace lockstep::worker
