#ifndef LOCKSTEP_WORKER_MODELS_INITIAL_STATES_H_
#define LOCKSTEP_WORKER_MODELS_INITIAL_STATES_H_

#include <cstdint>
#include <vector>

#include "worker/buffer.h"
#include "worker/layers/linear.h"
#include "worker/layers/recurrent_state.h"
#include "worker/layers/stack.h"
#include "worker/parameters.h"

namespace lockstep::worker {

/// The states that a decoder of L layers begins with: h = tanh(Linear(summary)) and, where the cell
/// has it, c = Linear(summary of c). The summary of a layer is the encoder's final state of the
/// same layer, its directions side by side, or one vector for all layers. Parameters
/// "initial.h_l0.weight", ".bias" and so on.
class InitialStates {
 public:
  /// `encoder` says what states come from it; with `vector_size` above 0 vectors of that size do.
  /// `parameters` must outlive this.
  InitialStates(const StackOptions& encoder, int64_t vector_size, Parameters& parameters);

  /// From the sources' final state [L D, B, H]; source_of [B] is the source of each item.
  void FromStates(const RecurrentState& final_state, const int64_t* source_of);
  /// From vectors [B, vector_size], which must live until Backward.
  void FromVectors(int64_t items, const float* vectors);

  /// [L, B, H]; c [L, B, units of c].
  const RecurrentState& states() const { return states_; }
  /// The last layer's summary of h [B, summary_size()]: c of Conditioning::kContext.
  const float* last_summary() const;
  int64_t summary_size() const { return vector_size_ > 0 ? vector_size_ : encoder_.output_size(); }

  /// Adds to the gradients of the parameters. d_states [L, B, H] is used up; d_summary, unless
  /// nullptr, is dL/d(last_summary()). Returns the gradient of the final state (without arrays
  /// where there were vectors), which lives until the next call.
  const RecurrentState& Backward(RecurrentState& d_states, const float* d_summary);

  /// Floats that a training pass keeps for each of B items.
  int64_t FloatsOfItem() const;

 private:
  bool has_c() const { return FactsOf(encoder_.cell).has_c; }
  void Make(int64_t items);
  /// `units` of a lane's array: hidden_size of h, units() of c.
  void Gather(const std::vector<float>& states, int layer, int64_t units, float* summary) const;
  void Scatter(const float* d_summary, int layer, int64_t units,
               std::vector<float>& d_states) const;
  /// Of c's summary.
  int64_t c_summary_size() const {
    return vector_size_ > 0 ? vector_size_ : encoder_.directions() * encoder_.units();
  }

  const StackOptions encoder_;
  const int64_t vector_size_;
  std::vector<Linear> h_, c_;  // [L]

  // Of the last pass.
  int64_t items_ = 0;
  const int64_t* source_of_ = nullptr;
  const float* vectors_ = nullptr;
  std::vector<Buffer> h_summaries_, c_summaries_;  // [L] of [B, D H], of c [B, D units]
  RecurrentState states_, d_final_;
  Buffer d_part_;  // of one summary
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_MODELS_INITIAL_STATES_H_
