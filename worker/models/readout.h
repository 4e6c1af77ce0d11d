#ifndef LOCKSTEP_WORKER_MODELS_READOUT_H_
#define LOCKSTEP_WORKER_MODELS_READOUT_H_

#include <cstdint>

#include "worker/buffer.h"
#include "worker/layers/dropout.h"
#include "worker/layers/packed_steps.h"
#include "worker/parameters.h"
#include "worker/products/gemm.h"

namespace lockstep::worker {

/// r = tanh(W [context; s]): what the projection to the vocabulary reads where a decoder sees its
/// source at every step (Luong et al. 2015, eq. 5). The context is dropped here, at site.layer; s
/// comes dropped from its stack. Parameter "readout.weight" [H, C + H]. A pass may go time step by
/// time step or over all at once.
class Readout {
 public:
  /// `parameters` must outlive this.
  Readout(int64_t context_size, int64_t units, double dropout, Parameters& parameters);

  /// `contexts` [R, C] and `outputs` (s) [R, H] are read as the pass comes by; both must live until
  /// FinishBackward. Without a site there is no dropout.
  void Begin(const PackedSteps& steps, const float* contexts, const DropoutSite* site);
  /// Of the time steps [first, last). Returns r of the first one's rows; r stands [R, H].
  const float* Forward(int64_t first, int64_t last, const float* outputs);

  /// Room for dL/dr [R, H].
  float* d_readouts() { return d_r_.Require(steps_.rows() * units_); }
  void BeginBackward();
  /// Of the time steps [first, last): dL/dr is used up; writes dL/d(context) of their rows to
  /// d_contexts() and dL/ds to d_outputs [R, H].
  void Backward(int64_t first, int64_t last, float* d_outputs);
  float* d_contexts() { return d_contexts_.data(); }
  /// Adds to the gradient of W.
  void FinishBackward();

  /// r of rows [rows, C] and [rows, H], without dropout, by the weights packed in Begin or
  /// BeginSingleSteps; lives until the next call.
  void BeginSingleSteps() { Pack(); }
  const float* SingleStep(int64_t rows, const float* contexts, const float* outputs);

  /// Floats that a training pass keeps for each of R rows, and of packed weights.
  int64_t FloatsOfRow() const { return 2 * units_ + context_size_ * (dropout_ > 0.0 ? 2 : 1); }
  int64_t FloatsOfWeights() const { return 2 * units_ * (context_size_ + units_); }

 private:
  bool drops() const { return has_site_ && dropout_ > 0.0; }
  int64_t width() const { return context_size_ + units_; }
  void Pack();
  /// out = dropout of x, both [R, C], at the rows of the time steps [first, last).
  void Drop(int64_t first, int64_t last, const float* x, float* out) const;
  const float* dropped() const { return drops() ? dropped_.data() : contexts_; }

  const int64_t context_size_, units_;
  const double dropout_;
  Parameters& parameters_;
  const int weight_;
  PackedMatrix context_weights_, output_weights_;            // W's columns
  PackedMatrix context_weights_back_, output_weights_back_;  // the same, for the way back

  PackedSteps steps_;
  const float* contexts_ = nullptr;
  const float* outputs_ = nullptr;
  DropoutSite site_;
  bool has_site_ = false;
  Buffer dropped_;     // [R, C]
  Buffer r_, d_r_;     // [R, H]
  Buffer d_contexts_;  // [R, C]
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_MODELS_READOUT_H_
