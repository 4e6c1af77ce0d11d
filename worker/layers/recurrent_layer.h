#ifndef LOCKSTEP_WORKER_LAYERS_RECURRENT_LAYER_H_
#define LOCKSTEP_WORKER_LAYERS_RECURRENT_LAYER_H_

#include <cstdint>
#include <string>

#include "worker/buffer.h"
#include "worker/layers/gate_kernels.h"
#include "worker/parameters.h"
#include "worker/products/gemm.h"

namespace lockstep::worker {

/// The recurrent cells; formulas and sources in worker/layers/gate_kernels.h. T time steps, B
/// lanes, I input size, H units, g gates.
enum class Cell { kRnnTanh, kRnnRelu, kLstm, kGru, kGruResetBefore };

/// Gates of a cell: 1 for the RNNs, 4 for LSTM (i,f,g,o), 3 for the GRUs (r,z,n).
int GateCount(Cell cell);

/// One recurrent layer in one direction. All cells share its scheme:
///     forward:   G[T*B, gH] = X[T*B, I] Wx^T + b          one product over all time steps
///                for t: P = H[t-1] Wh^T; gate kernel      one product and one fused kernel a time
///                step
///     backward:  for t from the last: gate kernel gives dG[t]; dH[t-1] = dG[t] Wh
///                dX = dG Wx; dWx += dG^T X; dWh += dG^T Hprev; db += column sums
/// Parameters have PyTorch's names and shapes: weight_ih_l0 [gH, I], weight_hh_l0 [gH, H],
/// bias_ih_l0 [gH], bias_hh_l0 [gH].
class RecurrentLayer {
 public:
  /// Adds its parameters, named `prefix` + "weight_ih_l" + layer and so on. `parameters` must
  /// outlive this layer.
  RecurrentLayer(Cell cell, int64_t input_size, int64_t hidden_size, int layer,
                 const std::string& prefix, Parameters& parameters);

  /// x is [T, B, I]. h and c are the state [B, H], read at the start and replaced at the end; c
  /// only for LSTM (else nullptr). Returns the outputs [T, B, H], which live until the next
  /// Forward.
  const float* Forward(int64_t time_steps, int64_t lanes, const float* x, float* h, float* c);

  /// The same where x[t, b] is a row of `embedding` [V, I], or one-hot where that is nullptr (then
  /// I = V): `tokens` [T, B] name it. The input side of every token is computed once, V rows
  /// instead of T*B, and x is never formed.
  const float* ForwardTokens(int64_t time_steps, int64_t lanes, const int32_t* tokens,
                             int64_t vocabulary_size, const float* embedding, float* h, float* c);

  /// d_output is dL/d(outputs) [T, B, H] of the last Forward; the same x must be given again. Adds
  /// to the gradients of the parameters and writes dL/dx [T, B, I] to d_x unless that is nullptr.
  /// No gradient flows into the state before the first time step (truncated BPTT).
  void Backward(const float* x, const float* d_output, float* d_x);
  /// After ForwardTokens, with the same arguments: adds to the gradients, of the embedding, too.
  void BackwardTokens(const int32_t* tokens, int64_t vocabulary_size, const float* embedding,
                      const float* d_output, float* d_embedding);

  int64_t hidden_size() const { return units_; }

 private:
  void Prepare(int64_t time_steps, int64_t lanes);
  float* CombinedBias();
  void ForwardSteps(float* h, float* c);
  void BackwardSteps(const float* d_output);
  void RecurrentGradients();
  void AddToTable(int64_t begin, int64_t end, const int32_t* tokens, float* table);
  GateStep StepAt(int64_t t);
  bool reset_before() const { return cell_ == Cell::kGruResetBefore; }

  const Cell cell_;
  const int64_t input_size_, units_, gates_;
  const int64_t gate_stride_;  // floats from one row of pre_ to the next
  Parameters& parameters_;
  int weight_ih_, weight_hh_, bias_ih_, bias_hh_;

  int64_t time_steps_ = 0, lanes_ = 0;  // of the last Forward
  Buffer bias_;       // [gH] what the large product adds; later the sums of dG's columns
  Buffer pre_;        // [T, B, gate_stride_] pre-activations, activations, their gradients
  Buffer h_;          // [T+1, B, H] H[-1], H[0], ...
  Buffer c_;          // [T+1, B, H] LSTM
  Buffer candidate_;  // [T, B, H] GRUs
  Buffer product_;    // [B, gH] of one time step
  Buffer d_h_, d_c_;  // [B, H]
  Buffer table_;      // [V, gH] the input side of every token, or its gradient
  Buffer part_;       // [V, gH] of the gradient, where there are many rows
  PackedMatrix forward_weights_, backward_weights_;  // Wh^T and Wh; reset before: of r and z only
  PackedMatrix forward_candidate_, backward_candidate_;  // reset before: of n
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_LAYERS_RECURRENT_LAYER_H_
