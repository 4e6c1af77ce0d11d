#ifndef LOCKSTEP_TESTS_BENCH_FMA_LIMIT_H_
#define LOCKSTEP_TESTS_BENCH_FMA_LIMIT_H_

namespace lockstep::bench {

/// The most float32 operations a second (a multiplication and an addition are two) that `threads`
/// OpenMP threads reach with values that stay in registers, under the instruction set that this
/// process may use; measured for about `seconds`, the best of several tries. SSE4.1 and AVX have no
/// fused multiply-add: there it is a multiplication and an addition.
double FmaLimit(int threads, double seconds);

}  // namespace lockstep::bench

#endif  // LOCKSTEP_TESTS_BENCH_FMA_LIMIT_H_
