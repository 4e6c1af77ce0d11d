#ifndef LOCKSTEP_WORKER_LOSSES_LOG_SUM_EXP_H_
#define LOCKSTEP_WORKER_LOSSES_LOG_SUM_EXP_H_

#include <cstdint>

namespace lockstep::worker {

/// log sum exp(x) over n floats, n at least 1: what turns a logit into a log-probability, x -
/// LogSumExp. NaN where one of x is. Runs on the calling thread.
double LogSumExp(int64_t n, const float* x);

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_LOSSES_LOG_SUM_EXP_H_
