#ifndef LOCKSTEP_TESTS_WORKER_ONEDNN_LAYERS_H_
#define LOCKSTEP_TESTS_WORKER_ONEDNN_LAYERS_H_

#include <cstdint>
#include <memory>
#include <vector>

#include "worker/layers/recurrent_layer.h"

namespace lockstep::worker {

/// oneDNN's own recurrent primitives in float32, forward_training and backward: a second opinion
/// for RecurrentLayer and the baseline of the benchmark. g is the number of gates of the cell. What
/// differs between oneDNN 2.x and 3.x is in its .cc file.
class OnednnLayers {
 public:
  /// More than one layer needs input_size = hidden_size.
  struct Shape {
    Cell cell;
    int64_t layers, time_steps, lanes, input_size, hidden_size;
  };

  /// Gradients, laid out as the weights are.
  struct Gradients {
    std::vector<float> input, weights_ih, weights_hh, bias;
  };

  explicit OnednnLayers(const Shape& shape);
  ~OnednnLayers();

  /// Weights in PyTorch's layout, [L, gH, I] and [L, gH, H], with oneDNN's order of gates: LSTM
  /// i,f,g,o as PyTorch, the GRUs z,r,n with z in the place of 1 - z. bias [L, gH] is the sum of
  /// both; kGru has a fourth part, of the hidden side of n. They are copied into the layouts that
  /// the primitive prefers.
  void SetWeights(const float* weights_ih, const float* weights_hh, const float* bias);

  /// x is [T, B, I]; h and c (LSTM only) are [L, B, H] and are replaced by the state after the last
  /// time step. Returns the last layer's outputs [T, B, H], which live until the next Forward.
  const float* Forward(const float* x, float* h, float* c);

  /// d_output is [T, B, H]; none flows in from behind the last time step. Replaces the gradients.
  void Backward(const float* d_output);

  /// Of the last Backward.
  Gradients gradients() const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_TESTS_WORKER_ONEDNN_LAYERS_H_
