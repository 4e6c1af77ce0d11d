#ifndef LOCKSTEP_WORKER_OPTIMIZERS_UPDATE_KERNELS_H_
#define LOCKSTEP_WORKER_OPTIMIZERS_UPDATE_KERNELS_H_

#include <cstdint>
#include <limits>

namespace lockstep::worker {

// The arithmetic of the optimizers (worker/optimizers/optimizer.h), on all threads. Ranks with
// different processors must come to the same weights, so the bits depend neither on the instruction
// set nor on threads: no fused multiply-add, and sums in one order.

/// What an update reads and writes, [size] each.
struct UpdateArrays {
  int64_t size = 0;
  float* weights = nullptr;
  const float* gradient = nullptr;  ///< used as clamp(factor gradient, -limit, limit)
  float factor = 1.0f, limit = std::numeric_limits<float>::infinity();
  float* first = nullptr;   ///< of the optimizer's state; null where the rule has none
  float* second = nullptr;  ///< the same
};

struct AdamNumbers {
  float b1, b1_rest, b2, b2_rest;
  float step;     ///< learning rate / (1 - b1^t) * sqrt(1 - b2^t)
  float epsilon;  ///< times sqrt(1 - b2^t)
  float l2, keep;
};
/// first = exp_avg, second = exp_avg_sq; the weights are multiplied by `keep` before.
void UpdateAdam(const AdamNumbers& numbers, const UpdateArrays& arrays);

struct SgdNumbers {
  float rate, l2, momentum, share;
  float own, moved;  ///< the step is rate (own gradient + moved first)
};
/// first = momentum_buffer or null.
void UpdateSgd(const SgdNumbers& numbers, const UpdateArrays& arrays);

struct RmsPropNumbers {
  float rate, l2, momentum, alpha, rest, epsilon;
};
/// first = square_avg, second = momentum_buffer or null.
void UpdateRmsProp(const RmsPropNumbers& numbers, const UpdateArrays& arrays);

struct AdagradNumbers {
  float rate, l2, epsilon;
};
/// first = sum.
void UpdateAdagrad(const AdagradNumbers& numbers, const UpdateArrays& arrays);

/// The sums of squares of kNormBlock elements each (worker/optimizers/clip.h), in double.
void SumSquares(int64_t size, const float* x, double* sums);

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_OPTIMIZERS_UPDATE_KERNELS_H_
