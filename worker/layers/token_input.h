#ifndef LOCKSTEP_WORKER_LAYERS_TOKEN_INPUT_H_
#define LOCKSTEP_WORKER_LAYERS_TOKEN_INPUT_H_

#include <cstdint>
#include <optional>
#include <string>

#include "worker/buffer.h"
#include "worker/layers/dropout.h"
#include "worker/layers/embedding.h"
#include "worker/layers/stack.h"
#include "worker/parameters.h"

namespace lockstep::worker {

/// The way of tokens into a stack: learnt vectors, or one-hot ones; through a table over the
/// vocabulary where that is less work. In training `embedding_dropout` drops whole vectors (see
/// DropTokens).
class TokenInput {
 public:
  /// Adds the parameter `name` [V, I], drawn as `draw` says; none where I is 0, which feeds one-hot
  /// vectors. `parameters` must outlive this.
  TokenInput(int64_t vocabulary_size, int64_t embedding_size, Draw draw, Parameters& parameters,
             double embedding_dropout = 0.0, const std::string& name = "embedding.weight");

  /// What a stack reads.
  int64_t size() const { return embedding_ ? embedding_->size() : vocabulary_size_; }
  /// The index of the parameter; -1: one-hot.
  int weight() const { return embedding_ ? embedding_->weight() : -1; }

  /// Whether the first layer computes its input side once for each token of the vocabulary. Always
  /// with one-hot vectors; else where that is less work than once for each row of such a batch.
  bool UsesTable(int64_t rows) const;

  /// `tokens` [rows] as a stack reads them: through a table, or as vectors, which live until the
  /// next call. `table` is UsesTable's answer, which all ranks share; what is dropped of vectors
  /// must stand there as vectors. Without a site nothing is dropped.
  StackInput Forward(int64_t rows, const int32_t* tokens, bool table,
                     const DropoutSite* site = nullptr);

  /// Adds to the gradient, after the stack's Backward returned d_x (nullptr: it has read tokens and
  /// has added to it already), which it may overwrite.
  void Backward(int64_t rows, const int32_t* tokens, float* d_x);

  /// What a pass keeps for each row, in floats, where it does not go through a table.
  int64_t FloatsOfRow() const;

 private:
  bool drops() const { return has_site_ && embedding_dropout_ > 0.0; }

  const int64_t vocabulary_size_;
  const double embedding_dropout_;
  Parameters& parameters_;
  std::optional<Embedding> embedding_;  // none: one-hot

  // Of the last Forward.
  bool has_site_ = false;
  DropoutSite site_;
  Buffer dropped_;  // [rows, I] the vectors, where some are dropped
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_LAYERS_TOKEN_INPUT_H_
