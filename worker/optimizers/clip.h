#ifndef LOCKSTEP_WORKER_OPTIMIZERS_CLIP_H_
#define LOCKSTEP_WORKER_OPTIMIZERS_CLIP_H_

#include <limits>
#include <span>

namespace lockstep::worker {

/// The Euclidean norm, summed in double in fixed blocks: it depends on the values only, not on
/// threads.
double GlobalNorm(std::span<const float> x);

/// What an update makes of a gradient g as it reads it: factor g, clamped to [-limit, limit].
struct GradientChange {
  double factor = 1.0;
  double limit = std::numeric_limits<double>::infinity();
};

/// max_norm / (norm + 1e-6) where that is below 1, else 1: what torch.nn.utils.clip_grad_norm_
/// multiplies a gradient of this norm with (Pascanu et al. 2013).
double NormClipFactor(double norm, double max_norm);

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_OPTIMIZERS_CLIP_H_
