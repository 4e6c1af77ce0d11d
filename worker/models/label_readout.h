#ifndef LOCKSTEP_WORKER_MODELS_LABEL_READOUT_H_
#define LOCKSTEP_WORKER_MODELS_LABEL_READOUT_H_

#include <cstdint>
#include <vector>

#include "worker/buffer.h"
#include "worker/layers/linear.h"
#include "worker/layers/pooling.h"
#include "worker/models/sequence_labeler.h"
#include "worker/parameters.h"

namespace lockstep::worker {

/// How a SequenceLabeler reads an item's label: pooling -> dropout -> Linear -> softmax.
class LabelReadout {
 public:
  LabelReadout(const SequenceLabelerOptions& options, Parameters& parameters);

  /// Whether it reads the outputs of the stack; else its final state.
  bool ReadsOutputs() const { return pooling_.ReadsOutputs(); }

  /// Leaves the logits. Without a site there is no dropout. What it reads must live until Backward.
  void Forward(const PackedSteps& steps, const float* outputs, const RecurrentState& state,
               const DropoutSite* site);

  /// Each uses the logits up: the loss with their gradient, or without it and without smoothing.
  LabelSum LossAndGradient(const int32_t* labels);
  LabelSum Loss(const int32_t* labels);
  /// Leaves them as they are.
  void Probabilities(std::vector<float>& probabilities) const;

  /// After LossAndGradient: see PoolingLayer::Backward.
  void Backward(float* d_outputs, bool accumulate, RecurrentState& d_state);

  int64_t FloatsOfRow() const { return pooling_.FloatsOfRow(); }
  int64_t FloatsOfItem() const {
    return linear_.input_size() + linear_.output_size() + pooling_.FloatsOfItem();
  }

 private:
  LabelSum Loss(const int32_t* labels, double label_smoothing, bool gradient);
  void ApplyDropout();

  const SequenceLabelerOptions& options_;
  const double dropout_;
  PoolingLayer pooling_;
  Linear linear_;

  // Of the last Forward.
  int64_t items_ = 0;
  DropoutSite site_;
  bool drops_ = false;
  Buffer pooled_;  // [B, D H] after dropout, later its gradient
  Buffer logits_;  // [B, labels] later their gradient
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_MODELS_LABEL_READOUT_H_
