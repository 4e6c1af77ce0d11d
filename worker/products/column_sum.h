#ifndef LOCKSTEP_WORKER_PRODUCTS_COLUMN_SUM_H_
#define LOCKSTEP_WORKER_PRODUCTS_COLUMN_SUM_H_

#include <cstdint>

namespace lockstep::worker {

/// sums[j] += sum over rows of x[row, j], for x [rows, columns] with rows `stride` floats apart:
/// the gradient of a bias. Rows are added in their order, whatever the number of threads; the error
/// does not grow with the number of rows: below 2^-16 of the sum of |x[row, j]|.
void AddColumnSums(int64_t rows, int64_t columns, const float* x, int64_t stride, float* sums);

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_PRODUCTS_COLUMN_SUM_H_
