#ifndef LOCKSTEP_WORKER_LOSSES_SOFTMAX_CROSS_ENTROPY_H_
#define LOCKSTEP_WORKER_LOSSES_SOFTMAX_CROSS_ENTROPY_H_

#include <cstdint>

namespace lockstep::worker {

/// The sum over rows of -log softmax(logits)[target], in nats. `logits` is [rows, V]; a row whose
/// target is negative counts nothing. With `gradient`, `logits` becomes the gradient of that sum:
/// softmax - one-hot, 0 in rows that do not count. The sum is taken in row order in double, so that
/// it does not depend on threads.
double SoftmaxCrossEntropy(int64_t rows, int64_t classes, const int32_t* targets, float* logits,
                           bool gradient);

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_LOSSES_SOFTMAX_CROSS_ENTROPY_H_
