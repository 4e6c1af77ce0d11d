#ifndef LOCKSTEP_WORKER_OPTIMIZERS_CLIP_H_
#define LOCKSTEP_WORKER_OPTIMIZERS_CLIP_H_

#include <span>

namespace lockstep::worker {

/// x *= factor.
void Scale(std::span<float> x, double factor);

/// The Euclidean norm, summed in double in fixed blocks: it depends on the values only, not on
/// threads.
double GlobalNorm(std::span<const float> x);

/// Scales the gradient by max_norm / (norm + 1e-6) where that is below 1, as
/// torch.nn.utils.clip_grad_norm_ does (Pascanu et al. 2013). `norm` is GlobalNorm of the gradient.
void ClipByGlobalNorm(std::span<float> gradient, double norm, double max_norm);

/// Clamps every element to [-limit, limit].
void ClipByValue(std::span<float> gradient, double limit);

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_OPTIMIZERS_CLIP_H_
