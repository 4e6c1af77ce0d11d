#ifndef LOCKSTEP_WORKER_LAYERS_ADAPTIVE_SOFTMAX_H_
#define LOCKSTEP_WORKER_LAYERS_ADAPTIVE_SOFTMAX_H_

#include <cstdint>
#include <vector>

#include "worker/buffer.h"
#include "worker/layers/linear.h"
#include "worker/layers/output_layer.h"
#include "worker/parameters.h"

namespace lockstep::worker {

/// How a vocabulary whose tokens are numbered from the most frequent one on is cut up.
struct AdaptiveSoftmaxOptions {
  /// Where the clusters begin, rising, all in [1, V): the head has the tokens below the first one.
  /// Empty: there are none, and the head has them all.
  std::vector<int64_t> cutoffs;
  /// D: the i-th cluster (i = 1, 2, ...) is read from floor(H / D^i) numbers, at least one.
  double division = 4.0;
};

/// The probabilities of a large vocabulary, in a time that is about that of its frequent tokens:
/// Grave et al. 2017, "Efficient softmax approximation for GPUs". It is exact: the probabilities
/// add up to one.
///     p(v | y) = head(y)[v]                                 for a token of the head
///              = head(y)[cutoffs[0] + i] tail_i(y)[v - cutoffs[i]]   for one of the i-th cluster
///     head(y) = softmax(W y + b), tail_i(y) = softmax(W_i P_i y)
/// Parameters "projection.weight" [cutoffs[0] + clusters, H] and "projection.bias",
/// "tail.0.0.weight" (P_0) [floor(H / D), H], "tail.0.1.weight" (W_0) [cutoffs[1] - cutoffs[0],
/// floor(H / D)] and so on: as torch.nn.AdaptiveLogSoftmaxWithLoss with head_bias, but that the
/// head is the projection. Without clusters it is an OutputLayer.
class AdaptiveSoftmax {
 public:
  /// Adds its parameters. `tied_weight` as OutputLayer has it, -1 where there are clusters.
  /// std::invalid_argument where the options are not as said. `parameters` must outlive this.
  AdaptiveSoftmax(int64_t vocabulary_size, int64_t hidden_size,
                  const AdaptiveSoftmaxOptions& options, int tied_weight, Parameters& parameters);

  /// As OutputLayer's. Smoothing is for one softmax: 0 where there are clusters.
  double Loss(int64_t rows, const float* y, const int32_t* targets);
  double LossAndGradient(int64_t rows, const float* y, const int32_t* targets, float* d_y,
                         double label_smoothing = 0.0);

  /// As OutputLayer's: of one softmax, without clusters.
  double SampledLossAndGradient(int64_t rows, const float* y, const int32_t* targets,
                                const ClassSample& sample, float* d_y) {
    return head_.SampledLossAndGradient(rows, y, targets, sample, d_y);
  }

  /// Packs the weights for the calls of Logits up to the next change of them.
  void PackWeights();
  /// [rows, V], which live until the next call: logits, whose softmax is p; with clusters log p.
  const float* Logits(int64_t rows, const float* y);

  /// The most floats that a pass over so many rows keeps, with `sampled` classes of a sample.
  int64_t WorkingFloats(int64_t rows, int64_t sampled = 0) const;

 private:
  struct Cluster {
    int64_t begin, end;         // tokens
    Linear input;               // P
    OutputLayer output;         // W
    PackedMatrix packed_input;  // P, for Logits
  };
  /// The rows whose target is in a cluster, their y [n, H], and the targets within it.
  struct Part {
    std::vector<int64_t> rows;
    std::vector<int32_t> targets;
    Buffer y, d_y;                  // [n, H]
    Buffer projected, d_projected;  // [n, cluster's]
  };
  void Take(const Cluster& cluster, int64_t rows, const float* y, const int32_t* targets);
  const int32_t* HeadTargets(int64_t rows, const int32_t* targets);

  const int64_t vocabulary_size_, hidden_size_;
  OutputLayer head_;
  std::vector<Cluster> clusters_;
  std::vector<int32_t> head_targets_;
  Part part_;
  Buffer logits_;
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_LAYERS_ADAPTIVE_SOFTMAX_H_
