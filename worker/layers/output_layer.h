#ifndef LOCKSTEP_WORKER_LAYERS_OUTPUT_LAYER_H_
#define LOCKSTEP_WORKER_LAYERS_OUTPUT_LAYER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "worker/buffer.h"
#include "worker/losses/class_sample.h"
#include "worker/parameters.h"
#include "worker/products/gemm.h"

namespace lockstep::worker {

/// Projection to the vocabulary and softmax cross-entropy: logits = y W^T + b. Parameters
/// "projection.weight" [V, H] and "projection.bias" [V], or of another name, as torch.nn.Linear;
/// tied, W is the embedding. Rows are taken in blocks, so that the logits of a large vocabulary
/// never stand in memory all at once.
class OutputLayer {
 public:
  /// Adds its parameters; `tied_weight` is the index of the embedding [V, H], or -1. `parameters`
  /// must outlive this.
  OutputLayer(int64_t vocabulary_size, int64_t hidden_size, int tied_weight, Parameters& parameters,
              const std::string& name = "projection", bool bias = true);

  int64_t classes() const { return vocabulary_size_; }  ///< V

  /// The sum of losses over rows, in nats; rows with a negative target do not count. y is [rows,
  /// H]. `correct`, unless nullptr, is the number of rows whose target is the likeliest.
  double Loss(int64_t rows, const float* y, const int32_t* targets, double* correct = nullptr);

  /// The same with label smoothing (see CrossEntropyOptions), and adds to the gradients of the
  /// parameters and writes dL/dy [rows, H] to d_y.
  double LossAndGradient(int64_t rows, const float* y, const int32_t* targets, float* d_y,
                         double label_smoothing = 0.0);

  /// The same over the classes of a sample and each row's own target alone, whose logits are
  /// lowered by the sample's LogExpected: an estimate of the loss, whose time is that of the
  /// sample.
  double SampledLossAndGradient(int64_t rows, const float* y, const int32_t* targets,
                                const ClassSample& sample, float* d_y);

  /// Floats that it keeps for so many rows at most, or fewer: logits and copies of W, about.
  int64_t WorkingFloats(int64_t rows) const;
  /// The same with so many sampled classes.
  int64_t SampledFloats(int64_t rows, int64_t classes) const;

  /// Packs the weights, for the calls of PackedLogits up to the next change of them.
  void PackWeights();
  /// Logits [rows, V], which live until the next call. A row's bits do not depend on the others.
  const float* PackedLogits(int64_t rows, const float* y);

 private:
  struct Blocks {
    int64_t rows;  ///< that have their logits in memory at a time
    bool packs;    ///< W, once for all blocks
  };
  Blocks BlocksOf(int64_t rows) const;

  const float* Logits(int64_t rows, const float* y);
  /// Of rows whose logits stand in logits_.
  int64_t CountLikeliest(int64_t rows, const int32_t* targets) const;

  template <class UseBlock>
  double OverBlocks(const Blocks& blocks, int64_t rows, const float* y, const int32_t* targets,
                    bool gradient, double label_smoothing, double* correct,
                    const UseBlock& use_block);

  void AddOwnTargets(int64_t rows, int64_t sampled, const float* y, const int32_t* targets,
                     const int32_t* places, float* d_y);

  const float* bias() const { return bias_ >= 0 ? parameters_.value(bias_) : nullptr; }

  const int64_t vocabulary_size_, hidden_size_;
  Parameters& parameters_;
  int weight_, bias_;  // -1: there is no bias
  Buffer logits_;
  PackedMatrix packed_;           // W^T, as logits take it
  PackedMatrix packed_backward_;  // W, as d_y takes it
  // Of a sample: its rows of W and of the gradient [N, H], biases less LogExpected [N].
  Buffer sampled_weights_, sampled_gradient_, sampled_bias_;
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_LAYERS_OUTPUT_LAYER_H_
