#ifndef LOCKSTEP_WORKER_OPTIMIZERS_DYNAMIC_STEP_H_
#define LOCKSTEP_WORKER_OPTIMIZERS_DYNAMIC_STEP_H_

#include <span>

namespace lockstep::worker {

/// A step of dynamic evaluation (Krause et al. 2018, equations 5 and 7): for every weight w, with g
/// its gradient, w0 where it started and s what its gradients were like in the training, relative
/// to those of all weights,
///     w += -rate g / (s + 1) + min(decay s, 1) (w0 - w)
/// or, where `relative` is empty, w += -rate g + min(decay, 1) (w0 - w). All spans have one size.
void DynamicStep(std::span<float> weights, std::span<const float> gradient,
                 std::span<const float> start, std::span<const float> relative, double rate,
                 double decay);

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_OPTIMIZERS_DYNAMIC_STEP_H_
