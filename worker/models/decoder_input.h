#ifndef LOCKSTEP_WORKER_MODELS_DECODER_INPUT_H_
#define LOCKSTEP_WORKER_MODELS_DECODER_INPUT_H_

#include <cstdint>
#include <optional>

#include "worker/buffer.h"
#include "worker/layers/dropout.h"
#include "worker/layers/embedding.h"
#include "worker/layers/packed_steps.h"
#include "worker/layers/stack.h"
#include "worker/parameters.h"

namespace lockstep::worker {

/// What a decoder's stack reads: rows of [what the token stands for, X columns that come with the
/// pass], I = E + X floats. Parameter "decoder.embedding.weight" [V, E], or one-hot vectors where E
/// is 0; embedded tokens are dropped at site.layer.
class DecoderInput {
 public:
  /// `parameters` must outlive this.
  DecoderInput(int64_t vocabulary_size, int64_t embedding_size, int64_t extra_size, Draw draw,
               double dropout, Parameters& parameters);

  int64_t size() const { return token_size_ + extra_size_; }  ///< I
  int64_t extra_size() const { return extra_size_; }          ///< X
  int embedding() const { return embedding_ ? embedding_->weight() : -1; }

  /// Fills the tokens' columns of all rows, unless all of them go to the stack as tokens
  /// (`stepwise` is false). `tokens` [R] must live until Backward; without a site there is no
  /// dropout.
  void Begin(const PackedSteps& steps, const int32_t* tokens, const DropoutSite* site,
             bool stepwise);
  /// Again for time step t, where `tokens` has changed.
  void FillStep(int64_t t);
  /// Copies `extra` [rows, X] to the rows from `row` on.
  void SetExtra(int64_t row, int64_t rows, const float* extra);

  /// x of the rows from `row` on; all of them as a stack reads them.
  const float* rows(int64_t row) const { return x_.data() + row * size(); }
  StackInput All() const;

  /// Takes dL/dx [rows, I] of the rows from `row` on; of those, X columns go to d_extra [rows, X]
  /// (or are added, with `add`) unless it is nullptr.
  void TakeGradient(int64_t row, int64_t rows, const float* d_x, float* d_extra, bool add);
  /// When all rows' gradient was taken: adds to the embedding's.
  void Backward();

  /// Floats that a training pass keeps for each of R rows.
  int64_t FloatsOfRow() const;

 private:
  bool drops() const { return embedding_ && has_site_ && dropout_ > 0.0; }
  bool reads_tokens() const { return !embedding_ && extra_size_ == 0 && !stepwise_; }
  void CopyTokens(int64_t row, int64_t rows, const float* embedded);

  const int64_t vocabulary_size_, token_size_, extra_size_;
  const double dropout_;
  std::optional<Embedding> embedding_;  // none: one-hot

  PackedSteps steps_;
  const int32_t* tokens_ = nullptr;
  DropoutSite site_;
  bool has_site_ = false, stepwise_ = false;
  Buffer x_;           // [R, I]
  Buffer dropped_;     // [R, E]
  Buffer d_embedded_;  // [R, E]
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_MODELS_DECODER_INPUT_H_
