#include "worker/layers/token_table.h"

#include <algorithm>
#include <cstring>

#include "worker/products/bfloat16.h"
#include "worker/products/gemm.h"

namespace lockstep::worker {
namespace {

constexpr int64_t kRowsOfATable = 8192;

// table[token] += the gradient of the input side, over rows [begin, end).
void AddToTable(int64_t begin, int64_t end, const int32_t* tokens, int64_t width,
                const InputSideGradient& gradient, float* table) {
  const int64_t shared = gradient.shared, others = width - shared;
  constexpr int64_t kBlock = 64;  // columns of a thread: rows are added in their order
#pragma omp parallel for schedule(static)
  for (int64_t first = 0; first < width; first += kBlock) {
    const int64_t last = std::min(first + kBlock, width);
    const int64_t split = std::clamp(shared, first, last);
    for (int64_t row = begin; row < end; ++row) {
      float* sums = table + tokens[row] * width;
      const float* d_pre = gradient.pre + row * gradient.pre_stride;
      for (int64_t j = first; j < split; ++j) sums[j] += d_pre[j];
      for (int64_t j = split; j < last; ++j) sums[j] += gradient.rest[row * others + j - shared];
    }
  }
}

}  // namespace

void TokenTable::Forward(int64_t rows, const int32_t* tokens, const TokenVectors& of,
                         const InputWeights& weights, const float* bias, float* pre,
                         int64_t pre_stride) {
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
#pragma omp parallel for schedule(static)
  for (int64_t row = 0; row < rows; ++row) {
    std::memcpy(pre + row * pre_stride, table + tokens[row] * width, width * sizeof(float));
  }
}

void TokenTable::Backward(int64_t rows, const int32_t* tokens, const TokenVectors& of,
                          const InputWeights& weights, const InputSideGradient& gradient,
                          float* d_weights) {
  const int64_t width = weights.width, I = weights.input_size, V = of.vocabulary_size;
  const int64_t size = V * width;
  float* table = table_.Require(size);
  std::fill_n(table, size, 0.0f);
  AddToTable(0, std::min(rows, kRowsOfATable), tokens, width, gradient, table);
  // The error of a float32 sum grows with its terms, so many rows make several tables first.
  for (int64_t begin = kRowsOfATable; begin < rows; begin += kRowsOfATable) {
    float* part = part_.Require(size);
    std::fill_n(part, size, 0.0f);
    AddToTable(begin, std::min(rows, begin + kRowsOfATable), tokens, width, gradient, part);
#pragma omp parallel for simd schedule(static)
    for (int64_t i = 0; i < size; ++i) table[i] += part[i];
  }
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
