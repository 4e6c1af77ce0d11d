#include "worker/threads.h"

#include <omp.h>

namespace lockstep::worker {

void SetThreads(int threads) { omp_set_num_threads(threads); }

int DefaultThreads() { return omp_get_max_threads(); }

}  // namespace lockstep::worker
