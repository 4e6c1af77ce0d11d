#ifndef LOCKSTEP_WORKER_LAYERS_RECURRENT_LAYER_H_
#define LOCKSTEP_WORKER_LAYERS_RECURRENT_LAYER_H_

#include <algorithm>
#include <cstdint>
#include <initializer_list>
#include <optional>
#include <string>

#include "worker/buffer.h"
#include "worker/layers/cell.h"
#include "worker/layers/cell_norm.h"
#include "worker/layers/dropout.h"
#include "worker/layers/gate_kernels.h"
#include "worker/layers/packed_steps.h"
#include "worker/layers/token_table.h"
#include "worker/parameters.h"
#include "worker/products/gemm.h"

namespace lockstep::worker {

/// The state of one layer, h [B, P] and c [B, H]; c only where the cell has it (else nullptr).
struct LayerState {
  float* h = nullptr;
  float* c = nullptr;
};

/// Gradients of a layer's state behind the last time step, which flow in, and before the first one,
/// which flow out; as LayerState. nullptr: none flows in there, or it is not wanted.
struct LayerStateGradient {
  const float* d_h_final = nullptr;
  const float* d_c_final = nullptr;
  float* d_h_initial = nullptr;
  float* d_c_initial = nullptr;
};

/// Which end of time a layer begins at.
enum class Direction { kForward, kReverse };

/// One recurrent layer in one direction. T time steps, B items ("lanes"), R rows (PackedSteps), I
/// input size, H units, g gates, P outputs: the units, or what they are projected to. All cells
/// share its scheme:
///     forward:   G[R, gH] = X[R, I] Wx^T + b              one product over all time steps
///                for t: S = H[t-1] Wh^T; gate kernel      one product and one fused kernel a time
///                step, over the items that reach it
///     backward:  for t from the last: gate kernel gives dG[t]; dH[t-1] = dG[t] Wh
///                dX = dG Wx; dWx += dG^T X; dWh += dG^T Hprev; db += column sums
/// In reverse, H[t+1] stands for H[t-1] and t goes the other way; an item begins at its own last
/// row. States are each item's before its first row and behind its last one, in the order
/// that the layer comes by them. Parameters have PyTorch's names and shapes: weight_ih_l0 [gH, I],
/// weight_hh_l0 [gH, P], bias_ih_l0 [gH], bias_hh_l0 [gH]; in reverse weight_ih_l0_reverse and so
/// on. Peepholes add "peephole_l0" [3H], from c to i, f and o; a projection (LSTMP: Sak et al.
/// 2014) adds "weight_hr_l0" [P, H]: h = weight_hr (o tanh(c)). As PyTorch draws them:
/// U(-1/sqrt(H), 1/sqrt(H)).
class RecurrentLayer {
 public:
  /// Adds its parameters, named `prefix` + "weight_ih_l" + layer and so on. `parameters` must
  /// outlive this layer. `layer_norm` adds those of CellNorm behind them. With a `projection_size`,
  /// P, the cell is an LSTM.
  RecurrentLayer(Cell cell, int64_t input_size, int64_t hidden_size, int layer,
                 const std::string& prefix, Parameters& parameters,
                 Direction direction = Direction::kForward, bool layer_norm = false,
                 int64_t projection_size = 0);

  /// A layer of the same parameters, in arrays of its own: for a second pass that goes backward
  /// before the first one does. Both must be there until the last Backward.
  static RecurrentLayer Sharing(const RecurrentLayer& other);

  /// From the next Forward or BeginSteps on, passes take weight_hh with a mask (see DropWeights of
  /// worker/layers/dropout.h); with probability 0 as it is. Between a pass and its way back it must
  /// not change.
  void DropRecurrentWeights(const DropoutSite& site, double probability);

  /// x is [R, I]. `state` is read at the start and replaced at the end. Returns the outputs [R, P],
  /// which live until the next Forward.
  const float* Forward(const PackedSteps& steps, const float* x, LayerState state);

  /// The same where row r of x is what the token r of `tokens` [R] stands for.
  const float* ForwardTokens(const PackedSteps& steps, const int32_t* tokens,
                             const TokenVectors& of, LayerState state);

  /// d_output is dL/d(outputs) [R, P] of the last Forward, nullptr where all of it is 0; the same x
  /// must be given again. Adds to the gradients of the parameters and writes dL/dx [R, I] to d_x
  /// (or adds it, with `add_to_d_x`) unless that is nullptr. Without `state` no gradient flows from
  /// behind the last time step or into the state before the first one (truncated BPTT). Once for
  /// each Forward. With `ready`, gradients of parameters that were added behind the layer's must be
  /// final.
  void Backward(const float* x, const float* d_output, float* d_x,
                const LayerStateGradient& state = {}, bool add_to_d_x = false,
                const GradientReady& ready = {});
  /// After ForwardTokens, with the same tokens: adds to the gradients, of the vectors, too.
  void BackwardTokens(const int32_t* tokens, const TokenVectors& of, const float* d_output,
                      const LayerStateGradient& state = {}, const GradientReady& ready = {});

  // The same pass one time step after another, forward in time only: see RecurrentStack.

  /// `state` is read and must live until the last Step, which leaves the final state there.
  void BeginSteps(const PackedSteps& steps, LayerState state);
  /// Time step t = 0, 1, ..., T - 1 of x_t [items_at(t), I]. Returns the outputs [items_at(t), P];
  /// those of all time steps stand one behind another, as Forward's do.
  const float* Step(int64_t t, const float* x_t);
  void BeginBackwardSteps(const LayerStateGradient& state = {});
  /// Time step t = T - 1, ..., 0 of d_output_t [items_at(t), P], or nullptr: all of it is 0. Writes
  /// dL/dx_t [items_at(t), I] unless d_x_t is nullptr.
  void BackwardStep(int64_t t, const float* d_output_t, float* d_x_t);
  /// x is [R, I], the rows of all steps.
  void FinishBackwardSteps(const float* x);
  /// See RecurrentStack.
  const float* StateBefore(int64_t t) const { return h_.data() + Before(t) * outputs_; }
  float* d_state_before() { return d_h_.data(); }

  /// See RecurrentStack.
  void BeginSingleSteps();
  const float* SingleStep(int64_t rows, const float* x, LayerState state);

  int64_t hidden_size() const { return units_; }

  /// Where its parameters begin and end in the flat buffers.
  int64_t begin_of_parameters() const { return parameters_.list()[weight_ih_].offset; }
  int64_t end_of_parameters() const { return end_of_parameters_; }

  /// Floats that a training pass keeps for each of R rows, with items of one length or of `uneven`
  /// ones, and of packed weights.
  int64_t FloatsOfRow(bool uneven = false) const {
    return units_ * (facts_.gates + facts_.has_c + facts_.keeps_candidate +
                     (uneven && reverse_ && facts_.has_c ? 1 : 0)) +
           outputs_ * (uneven ? 2 : 1) + (projects() ? units_ + outputs_ : 0) +
           (norm_ ? norm_->FloatsOfRow() : 0);
  }
  /// With `dropped` weight_hh has a mask.
  int64_t FloatsOfWeights(bool dropped = false) const {
    return ((dropped ? 4 : 2) * facts_.gates + (projects() ? 2 : 0)) * units_ * outputs_;
  }

 private:
  /// Of which `weight_ih_` and the others are the parameters.
  RecurrentLayer(Cell cell, int64_t input_size, int64_t hidden_size, int64_t projection_size,
                 Parameters& parameters, Direction direction);

  /// Some of the items of a time step, which stand side by side.
  struct Lanes {
    int64_t begin = 0, end = 0;
    int64_t count() const { return end - begin; }
    Lanes UpTo(int64_t most) const { return {std::min(begin, most), std::min(end, most)}; }
  };
  Lanes AllLanes(int64_t t) const { return {0, steps_.items_at(t)}; }
  /// Calls pass(lanes) for all lanes: at once, or for some of them on each thread.
  template <class Pass>
  void OverLanes(std::initializer_list<const PackedMatrix*> weights, const Pass& pass) const;

  /// Makes room for a pass.
  void Prepare(const PackedSteps& steps);
  /// Wh as the pass takes it; makes the one with a mask at the start of a pass.
  const float* MakeRecurrentWeights();
  const float* recurrent_weights() const {
    return weight_drop_ > 0.0 ? dropped_weights_.data() : parameters_.value(weight_hh_);
  }
  /// [gH] what the input side adds: b_ih, and b_hh of the shared gates.
  float* CombinedBias();
  /// Expects the input side in pre_, for all time steps, or tokens and their table. Leaves the
  /// activations there, the states in h_ and c_, what the way back needs in candidate_, and the
  /// last state in `state`. Its parts: pack Wh and place the first state, one time step, the last
  /// state.
  void ForwardSteps(LayerState state);
  void BeginForward(LayerState state);
  void PlaceFirstState(LayerState state);
  /// The input side of `items` rows from `row` on, in passes of single time steps.
  void InputStep(int64_t row, int64_t items, const float* x);
  void ForwardStep(int64_t t, Lanes lanes);
  void EndForward(LayerState state) const;
  /// For GathersStates(): of `states`, those before time step t, to its rows of `before`.
  void GatherStates(int64_t t, int64_t width, Buffer& states, Buffer& before);
  /// Expects what ForwardSteps left. Leaves dL/d(pre-activation of the hidden side) in pre_ (of the
  /// input side, too, but where the cell's last gate's bias stands apart: that gate's is in
  /// candidate_) and writes the gradient of the initial state. Its parts likewise; d_output_t may
  /// be nullptr, and so may d_output_next, the one of the time step that comes next on the way back
  /// (a hint).
  void BackwardSteps(const float* d_output, const LayerStateGradient& state);
  void BeginBackward(const LayerStateGradient& state);
  void BackwardTimeStep(int64_t t, const float* d_output_t, const float* d_output_next,
                        Lanes lanes);
  void EndBackward() const;
  /// [gH] in bias_, to be added to.
  float* ZeroSums();
  // What follows expects what BackwardSteps left. It, TokenTable::Gather and the products of dWx
  // are where sums over time steps and lanes are made, nothing else.
  /// [gH] the sums of the input side's gradient (with layer_norm: of what the biases are added to).
  const float* InputSideSums();
  /// Adds to the gradients of the biases.
  void BiasGradients(const float* input_side_sums);
  /// Adds to the gradients of all else but Wx, of Wh last.
  void RecurrentGradients(const GradientReady& ready = {});
  /// Likewise; adds to that of Wx.
  void InputGradients(const float* x, const GradientReady& ready = {});
  /// gradient [rows, columns] += d[R, rows]^T x[R, columns], with d's rows gate_stride_ apart, from
  /// the last rows to the first; `offset` is the gradient's in the flat buffer.
  void WeightGradient(int64_t rows, const float* d, const float* x, int64_t columns,
                      float* gradient, int64_t offset, const GradientReady& ready) const;

  /// dL/d(input side): its first columns [R, gate_stride_], the number of these, and the others
  /// [R, H], if any.
  const float* d_input_side() const { return norm_ ? norm_->d_input() : pre_.data(); }
  int64_t joint_columns() const { return norm_ ? width() : facts_.shared_gates() * units_; }
  const float* apart() const { return facts_.candidate_bias_apart ? candidate_.data() : nullptr; }

  bool projects() const { return weight_hr_ >= 0; }
  int64_t width() const { return facts_.gates * units_; }
  /// The place among T time steps of the i-th that a pass comes by.
  int64_t TimeOf(int64_t i) const { return reverse_ ? steps_.time_steps() - 1 - i : i; }
  /// In h_ and c_: the row where the items' first states stand, the one of time step t's states,
  /// and the one of those before it. The last but for time steps that items of unequal length begin
  /// at in reverse: there the states before stand together in h_before_ and c_before_.
  int64_t FirstStates() const { return reverse_ ? steps_.rows() : 0; }
  int64_t Behind(int64_t t) const { return steps_.first_row(t) + (reverse_ ? 0 : steps_.items()); }
  int64_t Before(int64_t t) const {
    if (reverse_) return steps_.first_row(t + 1);
    return t > 0 ? Behind(t - 1) : 0;
  }
  bool GathersStates() const { return reverse_ && !steps_.is_uniform(); }
  /// Hprev [R, P], gathered where it does not stand together.
  const float* AllStatesBefore();
  void PeepholeGradients();
  GateStep StepAt(int64_t t, Lanes lanes);
  /// What a time step's kernels read or write that was written long before, d_output [lanes, P] or
  /// nullptr among it; not what layer normalisation keeps.
  Ahead AheadOfForward(const GateStep& step) const;
  Ahead AheadOfBackward(const GateStep& step, const float* d_output) const;
  /// Their place in product_, whichever of a cell's products stands there.
  float* ProductOf(Lanes lanes) { return product_.data() + lanes.begin * width(); }

  const Cell cell_;
  const CellFacts& facts_;
  const int64_t input_size_, units_, outputs_;
  const int64_t gate_stride_;  // floats from one row of pre_ to the next
  const bool reverse_;
  Parameters& parameters_;
  int weight_ih_ = -1, weight_hh_ = -1, bias_ih_ = -1, bias_hh_ = -1, peephole_ = -1,
      weight_hr_ = -1;
  int64_t end_of_parameters_ = 0;

  // Of the last Forward.
  PackedSteps steps_;
  LayerState state_;                   // of stepwise passes
  LayerStateGradient state_gradient_;  // of the way back
  DropoutSite weight_drop_site_;
  double weight_drop_ = 0.0;
  Buffer dropped_weights_, d_dropped_weights_;  // [gH, P] weight_hh with its mask, its gradient
  Buffer bias_;  // [gH] what the large product adds; later the sums of dG's columns
  Buffer pre_;   // [R, gate_stride_] pre-activations, activations, their gradients
  Buffer h_;     // [B + R, P] the first states, H[0], H[1], ...; in reverse the first states
                 // stand last
  Buffer c_;     // [B + R, H] likewise
  Buffer h_before_,
      c_before_;          // [R, P], [R, H] the states before each row, where lengths are unequal
  Buffer candidate_;      // [R, H] GRUs: see GateStep
  Buffer product_;        // [B, gH] of one time step
  Buffer d_h_, d_c_;      // [B, P], [B, H]
  Buffer unprojected_;    // [R, H] o tanh(c), where it is projected
  Buffer d_projected_;    // [R, P] its gradient behind the projection
  Buffer d_unprojected_;  // [B, H] and before it, of one time step
  Buffer no_output_;      // [B, max(H, P)] zeros, where no gradient flows into the outputs
  TokenTable table_;
  const int32_t* input_tokens_ = nullptr;  // [R] during a pass whose input side is in table_
  std::optional<CellNorm> norm_;
  PackedMatrix forward_weights_, backward_weights_;  // Wh^T and Wh; reset before: of r and z only
  PackedMatrix forward_projection_, backward_projection_;  // weight_hr^T and weight_hr
  PackedMatrix forward_candidate_, backward_candidate_;    // reset before: of n
  // Of stepwise passes: Wx^T and Wx, of the latter the rows of a gate that stands apart.
  PackedMatrix input_weights_, input_backward_weights_, input_backward_apart_;
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_LAYERS_RECURRENT_LAYER_H_
