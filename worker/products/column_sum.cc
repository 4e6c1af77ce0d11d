#include "worker/products/column_sum.h"

namespace lockstep::worker {
namespace {

inline void AddFewColumns(int64_t rows, int64_t columns, const float* x, int64_t stride,
                          float* sums) {
  double total[kSumColumns] = {};
  SumFewColumns(rows, columns, x, stride, total, [](int64_t, const float*) {});
  for (int64_t j = 0; j < columns; ++j) sums[j] = static_cast<float>(sums[j] + total[j]);
}

}  // namespace

void AddColumnSums(int64_t rows, int64_t columns, const float* x, int64_t stride, float* sums) {
#pragma omp parallel for schedule(static)
  for (int64_t begin = 0; begin < columns; begin += kSumColumns) {
    if (columns - begin >= kSumColumns) {
      AddFewColumns(rows, kSumColumns, x + begin, stride, sums + begin);
    } else {
      AddFewColumns(rows, columns - begin, x + begin, stride, sums + begin);
    }
  }
}

}  // namespace lockstep::worker
