#ifndef LOCKSTEP_WORKER_MODELS_MODEL_H_
#define LOCKSTEP_WORKER_MODELS_MODEL_H_

#include <cstdint>

#include "worker/layers/recurrent_state.h"
#include "worker/parameters.h"

namespace lockstep::worker {

/// What a model will be used for: kForward needs no gradient, so it has none; with kNone it has no
/// memory for parameters either and can only tell how much it would need.
enum class Pass { kNone, kForward, kForwardAndBackward };

/// What models have in common for those that train, reduce, clip, store and count them. A model's
/// own Forward takes its own kind of batch; losses and gradients are sums over the batch, not
/// means. One thread calls it; it computes on OpenMP's threads.
class Model {
 public:
  virtual ~Model() = default;
  Model(const Model&) = delete;
  Model& operator=(const Model&) = delete;

  Parameters& parameters() { return parameters_; }
  const Parameters& parameters() const { return parameters_; }

  /// All zeros, for `lanes` lanes; without parts where the model carries no state from batch to
  /// batch.
  virtual RecurrentState ZeroState(int64_t lanes) const = 0;

  /// Adds the gradients of the last Forward's loss to parameters().gradient(), from the last layer
  /// to the first, and says which are final where that is known before the end. The batch's arrays
  /// must still be alive. Not with Pass::kForward.
  virtual void Backward(const GradientReady& ready = {}) = 0;

  /// Memory that a training pass takes beside parameters and gradient, over `lanes` lanes or items;
  /// `time_steps` for models of lanes, others know their own.
  virtual int64_t WorkingBytes(int64_t time_steps, int64_t lanes) const = 0;

 protected:
  Model() = default;

  /// At the end of the constructor, when all parts have added their parameters.
  void Allocate(Pass pass) {
    if (pass != Pass::kNone) parameters_.Allocate(pass == Pass::kForwardAndBackward);
  }

  Parameters parameters_;
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_MODELS_MODEL_H_
