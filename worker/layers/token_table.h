#ifndef LOCKSTEP_WORKER_LAYERS_TOKEN_TABLE_H_
#define LOCKSTEP_WORKER_LAYERS_TOKEN_TABLE_H_

#include <cstdint>
#include <vector>

#include "worker/buffer.h"

namespace lockstep::worker {

/// What tokens stand for: the rows of `vectors` [V, I], or one-hot vectors where that is nullptr
/// (then I = V).
struct TokenVectors {
  int64_t vocabulary_size = 0;  ///< V
  const float* vectors = nullptr;
  float* d_vectors = nullptr;  ///< the gradient is added here
};

/// The weights of an input side, as the recurrent layer has them.
struct InputWeights {
  int64_t width = 0;               ///< gH
  int64_t input_size = 0;          ///< I
  const float* weights = nullptr;  ///< [gH, I]
};

/// dL/d(input side) of R rows: the first `shared` columns are in `pre`, with rows `pre_stride`
/// floats apart, the others in `rest`, whose rows are dense.
struct InputSideGradient {
  const float* pre = nullptr;
  int64_t pre_stride = 0;
  int64_t shared = 0;
  const float* rest = nullptr;
};

/// The input side of a layer that reads tokens, x Wx^T + b: computed once for every token of the
/// vocabulary, V rows instead of one for each token of the batch; x is never formed.
class TokenTable {
 public:
  /// Computes the input side of every token. bias is [gH].
  void Forward(const TokenVectors& of, const InputWeights& weights, const float* bias);
  /// [V, gH] it, between Forward and Gather.
  const float* input_sides() const { return table_.data(); }

  /// The way back begins: sums up the gradient of each token's input side, and adds to sums [gH]
  /// those over all rows, to the precision of AddColumnSums.
  void Gather(int64_t rows, const int32_t* tokens, int64_t vocabulary_size, int64_t width,
              const InputSideGradient& gradient, float* sums);
  /// After Gather; adds to d_weights [gH, I] and to of.d_vectors.
  void Backward(const TokenVectors& of, const InputWeights& weights, float* d_weights);

 private:
  Buffer table_;              // [V, gH] the input side of every token, or its gradient
  std::vector<double> sums_;  // [gH] of all rows
  Buffer part_;               // [V, gH] of the gradient, where there are many rows
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_LAYERS_TOKEN_TABLE_H_
