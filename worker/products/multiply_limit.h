#ifndef LOCKSTEP_WORKER_PRODUCTS_MULTIPLY_LIMIT_H_
#define LOCKSTEP_WORKER_PRODUCTS_MULTIPLY_LIMIT_H_

#include "worker/products/precision.h"

namespace lockstep::worker {

/// The most operations a second (a multiplication and an addition are two) that `threads` OpenMP
/// threads reach with values that stay in registers, under the instruction set that this process
/// may use; measured for about `seconds`, the best of several tries. SSE4.1 and AVX have no fused
/// multiply-add: there it is a multiplication and an addition. In kBf16 by AVX512_BF16 (AMX can do
/// more), and 0 where that is not to be had.
double MultiplyLimit(int threads, double seconds, Precision precision = Precision::kFloat32);

/// Bytes a second that are read and written where `threads` threads copy 128 MB from
/// array to array; measured likewise.
double CopyLimit(int threads, double seconds);

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_PRODUCTS_MULTIPLY_LIMIT_H_
