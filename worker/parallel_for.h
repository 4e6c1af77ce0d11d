#ifndef LOCKSTEP_WORKER_PARALLEL_FOR_H_
#define LOCKSTEP_WORKER_PARALLEL_FOR_H_

#include <cstdint>

#include <omp.h>

namespace lockstep::worker {

/// Whether work falls to the calling thread alone: it is one of several at work already, or there
/// is no other. OpenMP makes a team of one then, too, which costs it half a microsecond within
/// another team: 5 to 10% of a step of an LSTM of 128.
inline bool IsOnlyThread() { return omp_in_parallel() || omp_get_max_threads() == 1; }

/// body(i) for i in [0, count), each thread with a run of them; by the calling one alone where it
/// is the only one, or where others are not worth while.
template <class Body>
void ParallelFor(int64_t count, const Body& body, bool worth_while = true) {
  if (!worth_while || count < 2 || IsOnlyThread()) {
    for (int64_t i = 0; i < count; ++i) body(i);
    return;
  }
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < count; ++i) body(i);
}

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_PARALLEL_FOR_H_
