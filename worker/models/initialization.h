#ifndef LOCKSTEP_WORKER_MODELS_INITIALIZATION_H_
#define LOCKSTEP_WORKER_MODELS_INITIALIZATION_H_

#include <cstdint>

#include "worker/parameters.h"

namespace lockstep::worker {

struct InitializationOptions {
  uint64_t seed = 1;
  /// > 0: every parameter from U(-uniform, uniform); 0: each as its part of the model says, which
  /// are PyTorch's defaults.
  double uniform = 0.0;
  /// > 0: every parameter from N(0, normal), the standard deviation; not together with `uniform`.
  double normal = 0.0;
  /// Added to the forget gates' part of bias_ih after the draw (Jozefowicz et al. 2015); nothing
  /// where a cell has none.
  double forget_gate_bias = 0.0;
};

/// Draws all parameters. Every element is a pure function of the seed, the parameter's place in the
/// list and the element's index: the same on every rank.
void Initialize(Parameters& parameters, const InitializationOptions& options);

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_MODELS_INITIALIZATION_H_
