#ifndef LOCKSTEP_WORKER_LOSSES_SOFTMAX_CROSS_ENTROPY_H_
#define LOCKSTEP_WORKER_LOSSES_SOFTMAX_CROSS_ENTROPY_H_

#include <cstdint>

namespace lockstep::worker {

struct CrossEntropyOptions {
  /// E, in [0, 1): the share of a target that is spread over all V classes alike (Szegedy et al.
  /// 2016).
  double label_smoothing = 0.0;
  const float* class_weights = nullptr;  ///< w [V], not negative; nullptr: all 1
};

/// The sum over rows of, with p = softmax(logits) of a row and y its target, in nats,
///     (1 - E) w[y] (-log p[y]) + E / V sum_v w[v] (-log p[v])
/// which without options is -log p[y]. As torch.nn.CrossEntropyLoss(weight, label_smoothing,
/// reduction="sum") has it; its mean divides by the sum of w[y]. `logits` is [rows, V]; a row whose
/// target is negative counts nothing. With `gradient`, `logits` becomes the gradient of that sum, 0
/// in rows that do not count. The sum is taken in row order in double, so that it does not depend
/// on threads.
double SoftmaxCrossEntropy(int64_t rows, int64_t classes, const int32_t* targets, float* logits,
                           bool gradient, const CrossEntropyOptions& options = {});

/// Logits [rows, V] become their softmax.
void Softmax(int64_t rows, int64_t classes, float* logits);

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_LOSSES_SOFTMAX_CROSS_ENTROPY_H_
