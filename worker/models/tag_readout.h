#ifndef LOCKSTEP_WORKER_MODELS_TAG_READOUT_H_
#define LOCKSTEP_WORKER_MODELS_TAG_READOUT_H_

#include <cstdint>
#include <optional>
#include <vector>

#include "worker/buffer.h"
#include "worker/layers/linear.h"
#include "worker/losses/crf.h"
#include "worker/models/sequence_labeler.h"
#include "worker/parameters.h"

namespace lockstep::worker {

/// How a SequenceLabeler reads the tag of each token: dropout -> Linear -> softmax or CRF.
class TagReadout {
 public:
  TagReadout(const SequenceLabelerOptions& options, Parameters& parameters);

  /// Leaves the logits (emissions). Without a site there is no dropout. What it reads must live
  /// until Backward.
  void Forward(const PackedSteps& steps, const float* outputs, const DropoutSite* site);

  /// Each uses the logits up: the loss with their gradient, or without it and without smoothing.
  LabelSum LossAndGradient(const int32_t* tags);
  LabelSum Loss(const int32_t* tags);
  /// The likeliest tags [R] and their probabilities. Leaves the logits as they are.
  void Predict(std::vector<int32_t>& tags, std::vector<float>& probabilities);

  /// After LossAndGradient: adds to the gradients of the parameters and writes dL/d(outputs).
  void Backward(float* d_outputs);

  int64_t FloatsOfRow() const;
  int64_t FloatsOf(int64_t items) const { return crf_ ? crf_->FloatsOf(items) : 0; }

 private:
  LabelSum SoftmaxLoss(const int32_t* tags, double label_smoothing, bool gradient);
  LabelSum CrfLoss(const int32_t* tags, bool gradient);
  CrfScores Scores() const;
  void ApplyDropout(const float* x, float* out) const;

  const SequenceLabelerOptions& options_;
  const double dropout_;
  Parameters& parameters_;
  Linear linear_;
  std::optional<Crf> crf_;
  int transitions_ = -1, start_ = -1, end_ = -1;

  // Of the last Forward.
  const PackedSteps* steps_ = nullptr;
  const float* read_ = nullptr;  // [R, D H] after dropout
  DropoutSite site_;
  bool drops_ = false;
  Buffer dropped_;                    // [R, D H]
  Buffer logits_;                     // [R, tags] later their gradient
  std::vector<float> probabilities_;  // [R, tags]
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_MODELS_TAG_READOUT_H_
