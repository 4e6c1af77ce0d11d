#include "worker/products/column_sum.h"

#include <algorithm>

namespace lockstep::worker {
namespace {

constexpr int64_t kBlock = 64;  // columns whose sums stay in registers and the first cache level
constexpr int64_t kRows = 256;  // rows added in float; the rest in double

// `width` of kBlock columns. Where it is a constant, the loops are unrolled.
inline void AddBlock(int64_t rows, int64_t width, const float* x, int64_t stride, float* sums) {
  double total[kBlock] = {};
  for (int64_t first = 0; first < rows; first += kRows) {
    const int64_t end = std::min(first + kRows, rows);
    float partial[kBlock] = {};
    for (int64_t row = first; row < end; ++row) {
      const float* values = x + row * stride;
      for (int64_t j = 0; j < width; ++j) partial[j] += values[j];
    }
    for (int64_t j = 0; j < width; ++j) total[j] += partial[j];
  }
  for (int64_t j = 0; j < width; ++j) sums[j] = static_cast<float>(sums[j] + total[j]);
}

}  // namespace

void AddColumnSums(int64_t rows, int64_t columns, const float* x, int64_t stride, float* sums) {
#pragma omp parallel for schedule(static)
  for (int64_t begin = 0; begin < columns; begin += kBlock) {
    if (columns - begin >= kBlock) {
      AddBlock(rows, kBlock, x + begin, stride, sums + begin);
    } else {
      AddBlock(rows, columns - begin, x + begin, stride, sums + begin);
    }
  }
}

}  // namespace lockstep::worker
