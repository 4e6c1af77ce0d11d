#ifndef LOCKSTEP_WORKER_MODELS_LANGUAGE_MODEL_H_
#define LOCKSTEP_WORKER_MODELS_LANGUAGE_MODEL_H_

#include <cstdint>
#include <memory>
#include <span>
#include <vector>

#include "worker/layers/dropout.h"
#include "worker/layers/embedding.h"
#include "worker/layers/output_layer.h"
#include "worker/layers/recurrent_layer.h"
#include "worker/layers/recurrent_state.h"
#include "worker/parameters.h"

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

/// What a model will be used for: kForward needs no gradient, so it has none; with kNone it has no
/// memory for parameters either and can only tell how much it would need.
enum class Pass { kNone, kForward, kForwardAndBackward };

/// A recurrent language model: embedding or one-hot input, L layers of one cell, projection,
/// softmax cross-entropy. Losses and gradients are sums over tokens, not means. One thread calls
/// it; it computes on OpenMP's threads.
class LanguageModel {
 public:
  explicit LanguageModel(const LanguageModelOptions& options,
                         Pass pass = Pass::kForwardAndBackward);
  LanguageModel(const LanguageModel&) = delete;
  LanguageModel& operator=(const LanguageModel&) = delete;

  const LanguageModelOptions& options() const { return options_; }
  Parameters& parameters() { return parameters_; }
  const Parameters& parameters() const { return parameters_; }

  /// All zeros, for `lanes` lanes.
  RecurrentState ZeroState(int64_t lanes) const;

  /// The training pass: returns the sum of losses in nats, moves `state` on, and keeps what
  /// Backward needs. `site` says which dropout masks are drawn (its layer is filled in here).
  double Forward(const TokenBatch& batch, RecurrentState& state, const DropoutSite& site);

  /// Adds the gradients of the last Forward's loss to parameters().gradient(), from the last layer
  /// to the first. The batch's arrays must still be alive. Not with Pass::kForward.
  void Backward();

  /// Memory that a training pass over such a batch takes beside parameters and gradient.
  int64_t WorkingBytes(int64_t time_steps, int64_t lanes) const;

  /// The evaluation pass: no dropout, no gradient.
  double Evaluate(const TokenBatch& batch, RecurrentState& state);

  /// Whether the first layer computes its input side once for each token of the vocabulary. Always
  /// with one-hot input; with an embedding where that is less work than once for each token of such
  /// a batch.
  bool UsesTable(int64_t time_steps, int64_t lanes) const;

  /// Runs one lane over `tokens` and returns the logits [V] behind the last one. They live until
  /// the next call.
  std::span<const float> NextLogits(std::span<const int32_t> tokens, RecurrentState& state);

 private:
  const float* RunLayers(const TokenBatch& batch, RecurrentState& state, const DropoutSite* site);
  void ApplyDropout(int layer, const float* x, float* out);

  const LanguageModelOptions options_;
  Parameters parameters_;
  std::unique_ptr<Embedding> embedding_;  // nullptr: one-hot input
  std::vector<std::unique_ptr<RecurrentLayer>> layers_;
  std::unique_ptr<OutputLayer> output_;

  // Of the last Forward.
  TokenBatch batch_;
  DropoutSite site_;
  std::vector<const float*> inputs_;  // of every layer; nullptr where the first reads a table
  std::vector<Buffer> dropped_;       // [T, B, H] outputs after dropout
  Buffer d_output_, d_input_;         // [T, B, max(I, H)]
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_MODELS_LANGUAGE_MODEL_H_
