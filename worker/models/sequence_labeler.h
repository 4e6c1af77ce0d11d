#ifndef LOCKSTEP_WORKER_MODELS_SEQUENCE_LABELER_H_
#define LOCKSTEP_WORKER_MODELS_SEQUENCE_LABELER_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "worker/layers/dropout.h"
#include "worker/layers/packed_steps.h"
#include "worker/layers/pooling.h"
#include "worker/layers/stack.h"
#include "worker/models/model.h"

namespace lockstep::worker {

struct SequenceLabelerOptions {
  int64_t vocabulary_size = 0;  ///< V
  int64_t embedding_size = 64;  ///< E; 0 feeds one-hot vectors
  /// input_size is filled in by the model. `dropout` is also that of the embedded tokens and of
  /// what the readouts read, unless input_dropout and output_dropout say otherwise.
  StackOptions stack;
  double embedding_dropout = 0.0;  ///< of the tokens' vectors (see DropTokens); E > 0
  int64_t labels = 0;              ///< classes of a sequence; 0: it has none
  int64_t tags = 0;  ///< classes of each token; 0: they have none. One of both at least.
  Pooling pooling = Pooling::kLast;
  std::vector<float> label_weights;  ///< [labels] each label's share in the loss; empty: all 1
  double label_smoothing = 0.0;      ///< of labels and of tags without `crf`: Szegedy et al. 2016
  bool crf = false;  ///< tags by a linear-chain CRF (Lafferty et al. 2001), with learnt scores of
                     ///< transitions, of the first and of the last tag; else by a softmax each
};

/// One batch, borrowed. Rows and items as PackedSteps has them.
struct LabelBatch {
  PackedSteps steps;
  const int32_t* tokens = nullptr;  ///< [R]
  /// [B], [R]; may be nullptr for Evaluate. Negative ones do not count; a CRF needs all of its
  /// tags.
  const int32_t* labels = nullptr;
  const int32_t* tags = nullptr;
};

/// Sums over a batch. The loss is -log p(label) (times its weight) - log p(tags), in nats, smoothed
/// in training (see CrossEntropyOptions); `weight` is what a mean of it divides by: the weights of
/// the labels (1 each without label_weights, as PyTorch's weighted mean) + the number of tags.
struct LabelSum {
  double loss = 0.0;
  double weight = 0.0;
};

struct LabelOutput {
  std::vector<float> label_probabilities;  ///< [B, labels]
  std::vector<int32_t> tags;               ///< [R] the likeliest; with a CRF the likeliest path
  std::vector<float> tag_probabilities;    ///< [R] of each of `tags`; with a CRF its marginal
};

/// A recurrent tagger and classifier, both at once where there are both: embedding -> stack ->
/// [pooling -> Linear "label"] and [Linear "tag" -> softmax or CRF]. Parameters
/// "embedding.weight", "rnn.*", "attention.{weight,bias,vector}", "label.{weight,bias}",
/// "tag.{weight,bias}", "crf.{transitions,start,end}", those drawn from U(-0.1, 0.1) as pytorch-crf
/// does. Dropout is on the embedded tokens (not on one-hot ones; layer L of the site), between the
/// layers (0 to L - 2), on the pooled vector (L + 1) and on the rows that tags are read from (L -
/// 1; pooling reads them without). Masks depend on the number of an item (DropoutSite), not on what
/// else is in the batch.
class SequenceLabeler final : public Model {
 public:
  /// std::invalid_argument.
  explicit SequenceLabeler(const SequenceLabelerOptions& options,
                           Pass pass = Pass::kForwardAndBackward);
  ~SequenceLabeler() override;

  const SequenceLabelerOptions& options() const { return options_; }
  /// The index of "embedding.weight", for pretrained vectors; -1: one-hot.
  int embedding_weight() const;

  RecurrentState ZeroState(int64_t) const override { return {}; }

  /// The training pass; keeps what Backward needs. Labels and tags that the model has must be
  /// there.
  LabelSum Forward(const LabelBatch& batch, const DropoutSite& site);
  void Backward(const GradientReady& ready = {}) override;
  /// Of `lanes` items of `time_steps` rows.
  int64_t WorkingBytes(int64_t time_steps, int64_t lanes) const override;

  /// No dropout, no gradient, no smoothing: losses of models that were trained with it and without
  /// can be compared. The predictions beside it where `output` is not nullptr. A batch without
  /// labels and tags has loss and weight 0.
  LabelSum Evaluate(const LabelBatch& batch, LabelOutput* output);

 private:
  struct Parts;
  const SequenceLabelerOptions options_;
  std::unique_ptr<Parts> parts_;
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_MODELS_SEQUENCE_LABELER_H_
