#ifndef LOCKSTEP_WORKER_PRODUCTS_COLUMN_SUM_H_
#define LOCKSTEP_WORKER_PRODUCTS_COLUMN_SUM_H_

#include <algorithm>
#include <cstdint>

namespace lockstep::worker {

/// Columns whose sums stay in registers and the first cache level: a thread's at a time.
constexpr int64_t kSumColumns = 64;

/// sums[j] += sum over rows of x[row, j] in double, of `columns` columns, kSumColumns at most: 256
/// rows at a time are added in float. Calls on_row(row, x[row]) for each row, so that nobody who
/// needs more of the same rows reads them again. Where `columns` is a constant, loops are unrolled.
template <class OnRow>
inline void SumFewColumns(int64_t rows, int64_t columns, const float* x, int64_t stride,
                          double* sums, const OnRow& on_row) {
  constexpr int64_t kRows = 256;
  for (int64_t first = 0; first < rows; first += kRows) {
    const int64_t end = std::min(first + kRows, rows);
    float partial[kSumColumns] = {};
    for (int64_t row = first; row < end; ++row) {
      const float* values = x + row * stride;
      on_row(row, values);
      for (int64_t j = 0; j < columns; ++j) partial[j] += values[j];
    }
    for (int64_t j = 0; j < columns; ++j) sums[j] += partial[j];
  }
}

/// sums[j] += sum over rows of x[row, j], for x [rows, columns] with rows `stride` floats apart:
/// the gradient of a bias. Rows are added in their order, whatever the number of threads; the error
/// does not grow with the number of rows: below 2^-16 of the sum of |x[row, j]|.
void AddColumnSums(int64_t rows, int64_t columns, const float* x, int64_t stride, float* sums);

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_PRODUCTS_COLUMN_SUM_H_
