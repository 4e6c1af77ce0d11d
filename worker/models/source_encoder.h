#ifndef LOCKSTEP_WORKER_MODELS_SOURCE_ENCODER_H_
#define LOCKSTEP_WORKER_MODELS_SOURCE_ENCODER_H_

#include <cstdint>
#include <vector>

#include "worker/buffer.h"
#include "worker/layers/dropout.h"
#include "worker/layers/packed_steps.h"
#include "worker/layers/recurrent_state.h"
#include "worker/layers/stack.h"
#include "worker/layers/token_input.h"
#include "worker/parameters.h"

namespace lockstep::worker {

/// Source tokens -> embedding -> dropout -> stack. Parameters "encoder.embedding.weight" (none:
/// one-hot) and "encoder.rnn.*". Dropout's layers are site.layer and those behind it, `sites()` of
/// them.
class SourceEncoder {
 public:
  /// `reads_outputs`: the outputs are wanted, not the final state alone. `parameters` must outlive
  /// this.
  SourceEncoder(int64_t vocabulary_size, int64_t embedding_size, StackOptions stack,
                bool reads_outputs, Parameters& parameters);

  /// `tokens` [R], which must live until Backward. Returns the outputs [R, D H], nullptr where they
  /// are not wanted; they live until the next Forward. Without a site there is no dropout.
  const float* Forward(const PackedSteps& steps, const int32_t* tokens, const DropoutSite* site);

  /// [L D, B, H] behind each source.
  const RecurrentState& final_state() const { return state_; }

  /// Room for dL/d(outputs), where they are wanted.
  float* d_outputs() { return stack_.d_output(); }
  void Backward(const RecurrentState& d_final, const GradientReady& ready = {});

  /// The index of the embedding; -1: one-hot.
  int embedding() const { return input_.weight(); }
  uint32_t sites() const { return static_cast<uint32_t>(stack_.options().layers) + 1; }
  int64_t output_size() const { return stack_.options().output_size(); }
  /// Floats that a training pass keeps for each of R rows, and of packed weights.
  int64_t FloatsOfRow() const;
  int64_t FloatsOfWeights() const { return stack_.FloatsOfWeights(); }

 private:
  bool drops() const { return has_site_ && input_.weight() >= 0 && stack_.options().dropout > 0.0; }

  TokenInput input_;
  RecurrentStack stack_;
  const RecurrentStack::Read read_;

  // Of the last Forward.
  PackedSteps steps_;
  const int32_t* tokens_ = nullptr;
  DropoutSite site_;
  bool has_site_ = false;
  Buffer dropped_;  // [R, E]
  RecurrentState state_;
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_MODELS_SOURCE_ENCODER_H_
