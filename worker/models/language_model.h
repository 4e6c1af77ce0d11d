#ifndef LOCKSTEP_WORKER_MODELS_LANGUAGE_MODEL_H_
#define LOCKSTEP_WORKER_MODELS_LANGUAGE_MODEL_H_

#include <cstdint>
#include <span>

#include "worker/layers/dropout.h"
#include "worker/layers/output_layer.h"
#include "worker/layers/stack.h"
#include "worker/layers/token_input.h"
#include "worker/models/model.h"

namespace lockstep::worker {

/// Dimension letters, here and everywhere: T time steps, B lanes of this rank, I input size, H
/// hidden size, L layers, V vocabulary, R ranks, P parameters.
struct LanguageModelOptions {
  int64_t vocabulary_size = 0;  ///< V
  int64_t embedding_size = 64;  ///< I; 0 feeds one-hot vectors
  Cell cell = Cell::kLstm;
  int layers = 2;              ///< L
  int64_t hidden_size = 256;   ///< H
  double dropout = 0.0;        ///< between the layers and after the last one
  bool tie_embedding = false;  ///< needs I == H
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

  RecurrentState ZeroState(int64_t lanes) const override { return stack_.ZeroState(lanes); }

  /// The training pass: returns the sum of losses in nats, moves `state` on, and keeps what
  /// Backward needs. `site` says which dropout masks are drawn (its layer is filled in here).
  double Forward(const TokenBatch& batch, RecurrentState& state, const DropoutSite& site);

  void Backward() override;
  int64_t WorkingBytes(int64_t time_steps, int64_t lanes) const override;

  /// The evaluation pass: no dropout, no gradient.
  double Evaluate(const TokenBatch& batch, RecurrentState& state);

  /// Whether the first layer computes its input side once for each token of the vocabulary: see
  /// TokenInput.
  bool UsesTable(int64_t time_steps, int64_t lanes) const;

  /// Runs one lane over `tokens` and returns the logits [V] behind the last one. They live until
  /// the next call.
  std::span<const float> NextLogits(std::span<const int32_t> tokens, RecurrentState& state);

 private:
  /// Returns the output of the last layer [T, B, H]. Without a site there is no dropout.
  const float* RunStack(const TokenBatch& batch, RecurrentState& state, const DropoutSite* site);

  const LanguageModelOptions options_;
  // In this order they add their parameters.
  TokenInput input_;
  RecurrentStack stack_;
  OutputLayer output_;
  TokenBatch batch_;  // of the last Forward
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_MODELS_LANGUAGE_MODEL_H_
