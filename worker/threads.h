#ifndef LOCKSTEP_WORKER_THREADS_H_
#define LOCKSTEP_WORKER_THREADS_H_

namespace lockstep::worker {

/// Sets the number of OpenMP threads of all later calls in worker/. Results are reproducible for a
/// fixed number. On x86 they, the calling one among them, take numbers too small to be normal as
/// zero from now on.
void SetThreads(int threads);

/// OpenMP's number of threads: OMP_NUM_THREADS where the user has set it, else the cores that this
/// process may use.
int DefaultThreads();

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_THREADS_H_
