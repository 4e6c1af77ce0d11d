#ifndef LOCKSTEP_WORKER_MODELS_LANGUAGE_MODEL_H_
#define LOCKSTEP_WORKER_MODELS_LANGUAGE_MODEL_H_

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "worker/buffer.h"
#include "worker/layers/adaptive_softmax.h"
#include "worker/layers/dropout.h"
#include "worker/layers/stack.h"
#include "worker/layers/token_input.h"
#include "worker/models/model.h"

namespace lockstep::worker {

/// Dimension letters, here and everywhere: T time steps, B lanes of this rank, I input size, H
/// hidden size (of what a layer gives), L layers, V vocabulary, R ranks, P parameters.
struct LanguageModelOptions {
  int64_t vocabulary_size = 0;  ///< V
  int64_t embedding_size = 64;  ///< I; 0 feeds one-hot vectors
  Cell cell = Cell::kLstm;
  int layers = 2;                       ///< L
  int64_t hidden_size = 256;            ///< H
  int64_t cell_size = 0;                ///< see StackOptions
  double dropout = 0.0;                 ///< between the layers and after the last one
  bool tie_embedding = false;           ///< needs I == H
  AdaptiveSoftmaxOptions softmax = {};  ///< with clusters it is not tied, nor smoothed, nor sampled
  /// Forward's loss is that over so many classes of a sample (see ClassSample; 0: over all, as
  /// Evaluate's always is), not smoothed.
  int64_t sampled_classes = 0;
  bool residual = false;    ///< see StackOptions
  bool layer_norm = false;  ///< likewise

  // Merity et al. 2017 (AWD-LSTM), in training only. See StackOptions and DropTokens.
  bool locked_dropout = false;
  double input_dropout = 0.0;  ///< on the vectors of the tokens; needs I > 0
  std::optional<double> output_dropout = {};
  double weight_drop = 0.0;
  double embedding_dropout = 0.0;  ///< of the tokens' vectors, not of a tied projection; I > 0
  /// A, and B below: to the gradient, not to the loss that Forward returns, is added that of
  ///     sum over predictions (t, lane) of A / H |y[t]|^2 + B / H |h[t] - h[t-1]|^2
  /// with y the last layer's outputs behind dropout and h those before it; at the first time step
  /// of a batch without B's part. Divided by the number of predictions this is, but for that first
  /// step, Merity's A mean(y^2) + B mean((h[t] - h[t-1])^2).
  double activation_regularization = 0.0;
  double temporal_activation_regularization = 0.0;  ///< B
  double label_smoothing = 0.0;                     ///< of Forward's loss: see CrossEntropyOptions
  /// Lanes of a rank of the job that has the fewest, so that all ranks decide alike; 0: each batch
  /// decides by its own.
  int64_t lanes_of_rank = 0;
};

/// Tokens of one batch; both arrays are [T, B]. A negative target does not count (a lane that has
/// run out).
struct TokenBatch {
  int64_t time_steps = 0;
  int64_t lanes = 0;
  const int32_t* inputs = nullptr;
  const int32_t* targets = nullptr;
};

/// A recurrent language model: embedding or one-hot input, L layers of one cell, projection,
/// softmax cross-entropy.
class LanguageModel final : public Model {
 public:
  explicit LanguageModel(const LanguageModelOptions& options,
                         Pass pass = Pass::kForwardAndBackward);

  const LanguageModelOptions& options() const { return options_; }

  /// The index of "embedding.weight", for pretrained vectors; -1: one-hot.
  int embedding_weight() const { return input_.weight(); }

  RecurrentState ZeroState(int64_t lanes) const override { return stack_.ZeroState(lanes); }

  /// The training pass: returns the sum of losses in nats, moves `state` on, and keeps what
  /// Backward needs. `site` says which dropout masks are drawn (its layer is filled in here).
  double Forward(const TokenBatch& batch, RecurrentState& state, const DropoutSite& site);

  void Backward(const GradientReady& ready = {}) override;
  int64_t WorkingBytes(int64_t time_steps, int64_t lanes) const override;

  /// The evaluation pass: no dropout, no gradient.
  double Evaluate(const TokenBatch& batch, RecurrentState& state);

  /// Whether the first layer computes its input side once for each token of the vocabulary: see
  /// TokenInput.
  bool UsesTable(int64_t time_steps, int64_t lanes) const;

  /// Packs the weights for the calls of NextLogits up to the next change of them or any other pass.
  void BeginNextLogits();
  /// One time step: each of B lanes reads its token, and the logits [B, V] behind it are returned,
  /// which live until the next call. A lane's bits do not depend on the others.
  std::span<const float> NextLogits(std::span<const int32_t> tokens, RecurrentState& state);

 private:
  /// Returns the output of the last layer [T, B, H]. Without a site there is no dropout.
  const float* RunStack(const TokenBatch& batch, RecurrentState& state, const DropoutSite* site);
  void Regularize(const float* y);

  const LanguageModelOptions options_;
  // In this order they add their parameters.
  TokenInput input_;
  RecurrentStack stack_;
  AdaptiveSoftmax output_;
  // Of the last Forward.
  TokenBatch batch_;
  std::vector<float> one_hot_;  // [B, V] of NextLogits
  Buffer d_plain_;              // [T, B, H] the gradient of the last layer's outputs before dropout
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_MODELS_LANGUAGE_MODEL_H_
