#include "worker/threads.h"

#include <omp.h>
#ifdef __SSE2__
#include <xmmintrin.h>
#endif

namespace lockstep::worker {

namespace {

// Numbers that are not normal cost a hundred cycles each, and moments of rows that get no gradient
// decay to nothing else. On one thread alone results would depend on who computes them.
void FlushDenormals() {
#ifdef __SSE2__
  constexpr unsigned kFlushToZero = 0x8000, kDenormalsAreZero = 0x0040;
  _mm_setcsr(_mm_getcsr() | kFlushToZero | kDenormalsAreZero);
#endif
}

}  // namespace

void SetThreads(int threads) {
  omp_set_num_threads(threads);
  omp_set_max_active_levels(1);  // what is done inside of a thread's share is its own
  FlushDenormals();              // threads that start later inherit this
#pragma omp parallel
  FlushDenormals();
}

int DefaultThreads() { return omp_get_max_threads(); }

}  // namespace lockstep::worker
