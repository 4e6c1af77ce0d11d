#ifndef LOCKSTEP_WORKER_LAYERS_POOLING_H_
#define LOCKSTEP_WORKER_LAYERS_POOLING_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "worker/buffer.h"
#include "worker/layers/linear.h"
#include "worker/layers/packed_steps.h"
#include "worker/layers/recurrent_state.h"
#include "worker/parameters.h"

namespace lockstep::worker {

/// What one vector of an item is made of: of the outputs h of a stack's last layer at the item's
/// rows, [n, D H].
enum class Pooling {
  kLast,       ///< the last state of each direction (in reverse: the one behind the first row)
  kMean,       ///< their mean
  kMax,        ///< the largest of each unit
  kAttention,  ///< sum_t a_t h_t, a = softmax_t(v^T tanh(W h_t + b)): Yang et al. 2016, eq. 5-7
};

/// Rows of items [R, D H] to one vector each, [B, D H]. An item's vector is the same bits whatever
/// stands beside it, but for kAttention, which has a product over all rows.
class PoolingLayer {
 public:
  /// D directions of H units. kAttention adds "attention.weight" [D H, D H], "attention.bias" and
  /// "attention.vector" [D H], all drawn from U(-1/sqrt(D H), 1/sqrt(D H)). `parameters` must
  /// outlive this.
  PoolingLayer(Pooling kind, int64_t directions, int64_t units, Parameters& parameters);

  /// kLast reads the stack's final state [L D, B, H] and no outputs, the others outputs [R, D H]
  /// and no state. Those and `steps` must live until Backward.
  bool ReadsOutputs() const { return kind_ != Pooling::kLast; }

  void Forward(const PackedSteps& steps, const float* outputs, const RecurrentState& state,
               float* pooled);

  /// From dL/d(pooled) [B, D H]: adds to the gradients of the parameters. kLast writes dL/d(state)
  /// of the last layer to d_state [L D, B, H]; the others dL/d(outputs) [R, D H] to d_outputs, or
  /// with `accumulate` add it there.
  void Backward(const float* d_pooled, float* d_outputs, bool accumulate, RecurrentState& d_state);

  /// Floats that a pass keeps for each row, and for each item.
  int64_t FloatsOfRow() const { return kind_ == Pooling::kAttention ? width_ + 2 : 0; }
  int64_t FloatsOfItem() const { return kind_ == Pooling::kMax ? width_ : 0; }

 private:
  void Mean(float* pooled) const;
  void Max(float* pooled);
  void Attend(float* pooled);
  void AttendBackward(const float* d_pooled, float* d_outputs, bool accumulate);

  const Pooling kind_;
  const int64_t directions_, units_, width_;  // D, H, D H
  Parameters& parameters_;
  std::optional<Linear> attention_;
  int vector_ = -1;

  // Of the last Forward.
  const PackedSteps* steps_ = nullptr;
  const float* outputs_ = nullptr;
  std::vector<int32_t> largest_;  // [B, D H] kMax: the time step
  Buffer hidden_;                 // [R, D H] tanh(W h + b), later the gradient of what is in it
  Buffer scores_, d_scores_;      // [R] v^T of it, later a
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_LAYERS_POOLING_H_
