#ifndef LOCKSTEP_WORKER_LAYERS_RECURRENT_LAYER_H_
#define LOCKSTEP_WORKER_LAYERS_RECURRENT_LAYER_H_

#include <cstdint>
#include <string>

#include "worker/buffer.h"
#include "worker/layers/cell.h"
#include "worker/layers/gate_kernels.h"
#include "worker/layers/token_table.h"
#include "worker/parameters.h"
#include "worker/products/gemm.h"

namespace lockstep::worker {

/// The state of one layer, [B, H] each; c only where the cell has it (else nullptr).
struct LayerState {
  float* h = nullptr;
  float* c = nullptr;
};

/// Gradients of a layer's state behind the last time step, which flow in, and before the first one,
/// which flow out; [B, H] each. nullptr: none flows in there, or it is not wanted.
struct LayerStateGradient {
  const float* d_h_final = nullptr;
  const float* d_c_final = nullptr;
  float* d_h_initial = nullptr;
  float* d_c_initial = nullptr;
};

/// Which end of time a layer begins at.
enum class Direction { kForward, kReverse };

/// One recurrent layer in one direction. T time steps, B lanes, I input size, H units, g gates. All
/// cells share its scheme:
///     forward:   G[T*B, gH] = X[T*B, I] Wx^T + b          one product over all time steps
///                for t: P = H[t-1] Wh^T; gate kernel      one product and one fused kernel a time
///                step
///     backward:  for t from the last: gate kernel gives dG[t]; dH[t-1] = dG[t] Wh
///                dX = dG Wx; dWx += dG^T X; dWh += dG^T Hprev; db += column sums
/// In reverse, H[t+1] stands for H[t-1] and t goes the other way. Parameters have PyTorch's names
/// and shapes: weight_ih_l0 [gH, I], weight_hh_l0 [gH, H], bias_ih_l0 [gH], bias_hh_l0 [gH]; in
/// reverse weight_ih_l0_reverse and so on. As PyTorch draws them: U(-1/sqrt(H), 1/sqrt(H)).
class RecurrentLayer {
 public:
  /// Adds its parameters, named `prefix` + "weight_ih_l" + layer and so on. `parameters` must
  /// outlive this layer.
  RecurrentLayer(Cell cell, int64_t input_size, int64_t hidden_size, int layer,
                 const std::string& prefix, Parameters& parameters,
                 Direction direction = Direction::kForward);

  /// A layer of the same parameters, in arrays of its own: for a second pass that goes backward
  /// before the first one does. Both must be there until the last Backward.
  static RecurrentLayer Sharing(const RecurrentLayer& other);

  /// x is [T, B, I]. `state` is read at the start and replaced at the end. Returns the outputs [T,
  /// B, H], which live until the next Forward.
  const float* Forward(int64_t time_steps, int64_t lanes, const float* x, LayerState state);

  /// The same where x[t, b] is what the token [t, b] of `tokens` stands for.
  const float* ForwardTokens(int64_t time_steps, int64_t lanes, const int32_t* tokens,
                             const TokenVectors& of, LayerState state);

  /// d_output is dL/d(outputs) [T, B, H] of the last Forward, nullptr where all of it is 0; the
  /// same x must be given again. Adds to the gradients of the parameters and writes dL/dx [T, B,
  /// I] to d_x unless that is nullptr. Without `state` no gradient flows from behind the last time
  /// step or into the state before the first one (truncated BPTT). Once for each Forward.
  void Backward(const float* x, const float* d_output, float* d_x,
                const LayerStateGradient& state = {});
  /// After ForwardTokens, with the same tokens: adds to the gradients, of the vectors, too.
  void BackwardTokens(const int32_t* tokens, const TokenVectors& of, const float* d_output,
                      const LayerStateGradient& state = {});

  int64_t hidden_size() const { return units_; }

  /// Floats that a training pass keeps for each of T*B rows, and of packed weights.
  int64_t FloatsOfRow() const {
    return units_ * (facts_.gates + 1 + facts_.has_c + facts_.keeps_candidate);
  }
  int64_t FloatsOfWeights() const { return 2 * facts_.gates * units_ * units_; }

 private:
  /// Of which `weight_ih_` and the others are the parameters.
  RecurrentLayer(Cell cell, int64_t input_size, int64_t hidden_size, Parameters& parameters,
                 Direction direction);

  /// Makes room for a pass over [T, B].
  void Prepare(int64_t time_steps, int64_t lanes);
  /// [gH] what the input side adds: b_ih, and b_hh of the shared gates.
  float* CombinedBias();
  /// Expects the pre-activations of the input side in pre_, for all time steps. Leaves the
  /// activations there, the states in h_ and c_, what the way back needs in candidate_, and the
  /// last state in `state`.
  void ForwardSteps(LayerState state);
  /// Expects what ForwardSteps left. Leaves dL/d(pre-activation of the hidden side) in pre_ (of the
  /// input side, too, but where the cell's last gate's bias stands apart: that gate's is in
  /// candidate_) and writes the gradient of the initial state.
  void BackwardSteps(const float* d_output, const LayerStateGradient& state);
  /// Expects what BackwardSteps left; adds to the gradients of Wh and of both biases.
  void RecurrentGradients();

  int64_t width() const { return facts_.gates * units_; }
  int64_t state_size() const { return lanes_ * units_; }
  /// The place among T time steps of the i-th that a pass comes by.
  int64_t TimeOf(int64_t i) const { return reverse_ ? time_steps_ - 1 - i : i; }
  /// Where h_ and c_ have the state before and behind time step t.
  int64_t Before(int64_t t) const { return (reverse_ ? t + 1 : t) * state_size(); }
  int64_t Behind(int64_t t) const { return (reverse_ ? t : t + 1) * state_size(); }
  GateStep StepAt(int64_t t);

  const Cell cell_;
  const CellFacts& facts_;
  const int64_t input_size_, units_;
  const int64_t gate_stride_;  // floats from one row of pre_ to the next
  const bool reverse_;
  Parameters& parameters_;
  int weight_ih_ = -1, weight_hh_ = -1, bias_ih_ = -1, bias_hh_ = -1;

  int64_t time_steps_ = 0, lanes_ = 0;  // of the last Forward
  Buffer bias_;       // [gH] what the large product adds; later the sums of dG's columns
  Buffer pre_;        // [T, B, gate_stride_] pre-activations, activations, their gradients
  Buffer h_;          // [T+1, B, H] H[-1], H[0], ...; in reverse H[0], ..., H[T]
  Buffer c_;          // [T+1, B, H] likewise
  Buffer candidate_;  // [T, B, H] GRUs: see GateStep
  Buffer product_;    // [B, gH] of one time step
  Buffer d_h_, d_c_;  // [B, H]
  Buffer no_output_;  // [B, H] zeros, where no gradient flows into the outputs
  TokenTable table_;
  PackedMatrix forward_weights_, backward_weights_;  // Wh^T and Wh; reset before: of r and z only
  PackedMatrix forward_candidate_, backward_candidate_;  // reset before: of n
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_LAYERS_RECURRENT_LAYER_H_
