#ifndef LOCKSTEP_WORKER_MODELS_INITIALIZATION_H_
#define LOCKSTEP_WORKER_MODELS_INITIALIZATION_H_

#include <cstdint>

#include "worker/models/language_model.h"

namespace lockstep::worker {

struct InitializationOptions {
  uint64_t seed = 1;
  double uniform = 0.0;  ///< > 0: every parameter from U(-uniform, uniform); 0: PyTorch's defaults
  double forget_gate_bias =
      0.0;  ///< LSTM: added to bias_ih's forget part after the draw (Jozefowicz et al. 2015)
};

/// Draws all parameters. PyTorch's defaults: embedding N(0, 1); recurrent layers U(-1/sqrt(H),
/// 1/sqrt(H)), biases too; projection U(-1/sqrt(H), 1/sqrt(H)). A tied embedding is drawn as the
/// projection is. Every element is a pure function of the seed, the parameter's place in the list
/// and the element's index: the same on every rank.
void Initialize(LanguageModel& model, const InitializationOptions& options);

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_MODELS_INITIALIZATION_H_
