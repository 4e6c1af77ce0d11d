#ifndef LOCKSTEP_WORKER_LAYERS_EMBEDDING_H_
#define LOCKSTEP_WORKER_LAYERS_EMBEDDING_H_

#include <cstdint>
#include <string>

#include "worker/buffer.h"
#include "worker/parameters.h"

namespace lockstep::worker {

/// A learnt vector for each of V ids, tokens or categories: x[row] = E[ids[row]]. Parameter [V, I],
/// as torch.nn.Embedding's weight.
class Embedding {
 public:
  /// Adds its parameter, "embedding.weight" unless another name is given. `parameters` must outlive
  /// this.
  Embedding(int64_t vocabulary_size, int64_t embedding_size, Parameters& parameters,
            Draw draw = NormalDraw(), const std::string& name = "embedding.weight");

  /// Returns x [rows, I], which lives until the next Forward. Tokens are below V.
  const float* Forward(int64_t rows, const int32_t* tokens);

  /// Adds dL/dx [rows, I] to the gradient, in row order. `tokens` as in the last Forward.
  void Backward(int64_t rows, const int32_t* tokens, const float* d_x);

  /// The index of its parameter.
  int weight() const { return weight_; }
  int64_t size() const { return size_; }

 private:
  const int64_t size_;
  Parameters& parameters_;
  const int weight_;
  Buffer x_;
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_LAYERS_EMBEDDING_H_
