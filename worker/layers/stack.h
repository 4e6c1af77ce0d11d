#ifndef LOCKSTEP_WORKER_LAYERS_STACK_H_
#define LOCKSTEP_WORKER_LAYERS_STACK_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "worker/buffer.h"
#include "worker/layers/dropout.h"
#include "worker/layers/packed_steps.h"
#include "worker/layers/recurrent_layer.h"
#include "worker/layers/recurrent_state.h"
#include "worker/parameters.h"

namespace lockstep::worker {

struct StackOptions {
  Cell cell = Cell::kLstm;
  int64_t input_size = 0;   ///< I
  int64_t hidden_size = 0;  ///< H: of what a layer gives and feeds back
  int64_t cell_size = 0;    ///< units of an LSTM that are projected to hidden_size outputs (LSTMP:
                            ///< Sak et al. 2014); 0: they are the outputs
  int layers = 1;           ///< L
  double dropout = 0.0;     ///< between the layers and after the last one
  bool bidirectional = false;  ///< D = 2: each layer reads both ways, [forward, reverse] are its
                               ///< outputs; else D = 1. As PyTorch's bidirectional=True
  bool residual = false;       ///< layers above the first add their input to their output, behind
                               ///< its dropout: x + dropout(layer(x)), as GNMT (Wu et al. 2016)
  bool layer_norm = false;     ///< inside the cells, behind the products: see CellNorm

  // Merity et al. 2017. What they leave at their defaults changes nothing.
  std::optional<double> output_dropout = {};  ///< after the last layer, instead of `dropout`
  double input_dropout = 0.0;                 ///< on x, which must not be tokens then
  bool locked_dropout = false;  ///< all time steps of a lane have one mask: variational
                                ///< dropout, Gal and Ghahramani 2016
  double weight_drop = 0.0;  ///< DropConnect on weight_hh of all layers: one mask for a batch, the
                             ///< same on all ranks; without a site there is none

  /// Of the outputs of a layer.
  double dropout_after(int layer) const {
    return layer + 1 < layers ? dropout : output_dropout.value_or(dropout);
  }
  int64_t directions() const { return bidirectional ? 2 : 1; }  ///< D
  int64_t output_size() const { return directions() * hidden_size; }
  int64_t units() const { return cell_size > 0 ? cell_size : hidden_size; }  ///< of gates and c
};

/// What a stack reads: vectors x [R, I], or tokens [R] and what they stand for.
struct StackInput {
  const float* x = nullptr;
  const int32_t* tokens = nullptr;  ///< where x is nullptr
  TokenVectors vectors = {};
};

/// What flows through a stack's state in the way back, shaped as the state: see LayerStateGradient.
struct StackStateGradient {
  const RecurrentState* final_state = nullptr;
  RecurrentState* initial_state = nullptr;  ///< of the right size; overwritten
};

/// L recurrent layers of one cell in D directions, each reading the outputs of the one below.
/// Dimension letters as in RecurrentLayer; R rows as in PackedSteps; states are [L D, B, H], the
/// directions of a layer one behind another, as PyTorch has them. The final state of an item is the
/// one behind its own last row, in reverse the one behind its first. Models whose batches differ in
/// their numbers of rows hold a VaryingRows (worker/products/gemm.h) in every pass; passes over
/// items of unequal lengths do so here. c of a state is [L D, B, units()].
class RecurrentStack {
 public:
  /// Adds its parameters, named `prefix` + "weight_ih_l0" and so on. `parameters` must outlive it.
  RecurrentStack(const StackOptions& options, const std::string& prefix, Parameters& parameters);

  /// A stack of the same parameters, in arrays of its own: see RecurrentLayer::Sharing.
  static RecurrentStack Sharing(const RecurrentStack& other);

  RecurrentState ZeroState(int64_t lanes) const;

  /// What of a pass is read: the outputs (and the state); the outputs without dropout after the
  /// last layer; or the last state alone, likewise, and then there is no gradient from outputs.
  enum class Read { kOutputs, kPlainOutputs, kStateOnly };

  /// Returns the outputs of the last layer [R, D H] after dropout, which live until the next
  /// Forward, and moves `state` on. Without a site there is no dropout; its layers are numbered
  /// from site->layer; the input's mask has number site->layer + L. The input must live until
  /// Backward. With `mask_lanes`, lane i has the masks of time step i / mask_lanes and lane i %
  /// mask_lanes: for passes of one time step over rows that stand for several.
  const float* Forward(const PackedSteps& steps, const StackInput& input, RecurrentState& state,
                       const DropoutSite* site, Read read = Read::kOutputs, int64_t mask_lanes = 0);

  /// Room for dL/d(outputs) [R, D H] of the last Forward, to be written between Forward and
  /// Backward, which uses it up. Not with kStateOnly.
  float* d_output();

  /// What the last layer itself gave, before its dropout, [R, H]; of one direction, after Forward.
  const float* plain_output() const { return plain_output_; }
  /// Between Forward and Backward: dL/d(plain_output()) [R, H] that does not come through the
  /// outputs. It must live until Backward, which adds it.
  void set_d_plain_output(const float* d_plain) { d_plain_output_ = d_plain; }

  /// Adds to the gradients of the parameters, from the last layer to the first, and returns dL/dx
  /// [R, I], which lives until the next Forward; nullptr with tokens, whose vectors' gradient is
  /// added, and where it is not wanted. With `ready`, gradients of parameters that were added
  /// behind the stack's must be final.
  float* Backward(const StackStateGradient& state = {}, bool input_gradient = true,
                  const GradientReady& ready = {});

  // The same pass one time step after another, where a step's input needs the step before (a
  // decoder with attention). One direction only. All that a time step leaves for the way back is
  // kept, and the gradients of the weights are taken in large products at the end.

  /// Packs the weights; `state` is read and must live until the last Step, which leaves the final
  /// state there.
  void BeginSteps(const PackedSteps& steps, RecurrentState& state, const DropoutSite* site);
  /// Time step t = 0, 1, ..., T - 1. x_t [items_at(t), I] is copied. Returns the outputs of the
  /// last layer at this time step after dropout [items_at(t), H], which live until the next
  /// BeginSteps or Forward; those of all time steps stand one behind another.
  const float* Step(int64_t t, const float* x_t);
  /// After the last Step. Without `state` no gradient flows from behind the last time step.
  void BeginBackwardSteps(const StackStateGradient& state = {});
  /// Time step t = T - 1, ..., 0, with dL/d(its outputs) [items_at(t), H], which may be
  /// overwritten. Returns dL/dx_t [items_at(t), I], which lives until the next call.
  float* BackwardStep(int64_t t, float* d_output_t);
  /// After time step 0: adds to the gradients of the parameters and writes state.initial_state.
  void FinishBackwardSteps();
  /// Between the steps: h of the last layer before time step t, without dropout, [items_at(t), H];
  /// from BeginSteps or Step(t - 1) on. And what may be added to its gradient, likewise: between
  /// BackwardStep(t) and the next call, where state.initial_state is given.
  const float* StateBefore(int64_t t) const { return layers_.back().StateBefore(t); }
  float* d_state_before() { return layers_.back().d_state_before(); }

  // Time steps one by one of rows that come and go, as a search has them; no way back, no dropout.

  /// Packs the weights.
  void BeginSingleSteps();
  /// Moves `state` of these rows on by x [rows, I]. Returns the outputs of the last layer [rows,
  /// H], which live until the next call. A row's bits do not depend on the others.
  const float* SingleStep(int64_t rows, const float* x, RecurrentState& state);

  const StackOptions& options() const { return options_; }

  /// Floats that a training pass keeps for each of R rows, with items of one length or of `uneven`
  /// ones, and with `gradients` arrays [R, max(I, D H)] of gradients (two, but for passes over one
  /// layer that lack one end); and of packed weights.
  int64_t FloatsOfRow(int gradients = 2, bool uneven = false) const;
  int64_t FloatsOfWeights() const;

 private:
  RecurrentStack(const StackOptions& options, std::vector<RecurrentLayer> layers);

  RecurrentLayer& LayerAt(int layer, int64_t direction) {
    return layers_[layer * options_.directions() + direction];
  }
  LayerState StateOf(RecurrentState& state, int layer, int64_t direction) const;
  LayerStateGradient StateGradientOf(const StackStateGradient& state, int layer,
                                     int64_t direction) const;
  /// Whether there is dropout after a layer in the last pass, and whether it adds its input.
  bool Drops(int layer) const;
  bool Adds(int layer) const { return options_.residual && layer > 0; }
  int64_t GradientSize(int64_t rows) const;
  static void AddArrays(int64_t size, const float* a, const float* b, float* sum);

  /// The outputs of a layer, [R, D H], from those of its directions, h[0] and h[1], and its input.
  const float* Join(int layer, const float* const* h, const float* x);
  /// The site of a layer's outputs; of the input where layer = L.
  DropoutSite SiteOf(int layer) const;
  bool DropsInput() const { return has_site_ && options_.input_dropout > 0.0; }
  void DropRecurrentWeights();
  void DropAll(int layer, const float* x, float* out) const;
  void DropStep(int layer, int64_t t, const float* x, float* out) const;

  const StackOptions options_;
  std::vector<RecurrentLayer> layers_;  // [L D]

  // Of the last Forward.
  PackedSteps steps_;
  int64_t mask_lanes_ = 0;
  StackInput input_;
  Read read_ = Read::kOutputs;
  DropoutSite site_;
  bool has_site_ = false;
  std::vector<const float*> inputs_;  // of every layer; nullptr where the first reads tokens
  const float* plain_output_ = nullptr;
  const float* d_plain_output_ = nullptr;
  std::vector<Buffer> outputs_;  // [R, D H] of a layer, where they are not what it has itself
  Buffer d_output_, d_input_;    // [R, max(I, D H)]
  Buffer d_dropped_;             // [R, D H] d_output behind dropout, where both are needed
  Buffer d_direction_;           // [R, H] the columns of one direction
  Buffer dropped_input_;         // [R, I] the input after dropout
  Buffer step_inputs_;           // [R, I] of stepwise passes
  Buffer d_steps_[2];            // [B, max(I, H)] of one time step
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_LAYERS_STACK_H_
