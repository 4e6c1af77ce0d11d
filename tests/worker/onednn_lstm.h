#ifndef LOCKSTEP_TESTS_WORKER_ONEDNN_LSTM_H_
#define LOCKSTEP_TESTS_WORKER_ONEDNN_LSTM_H_

#include <cstdint>
#include <memory>
#include <vector>

namespace lockstep::worker {

/// oneDNN's own LSTM primitive in float32, forward_training and backward: a second opinion for
/// RecurrentLayer and the baseline of the benchmark. What differs between oneDNN 2.x and 3.x is in
/// its .cc file.
class OnednnLstm {
 public:
  /// More than one layer needs input_size = hidden_size.
  struct Shape {
    int64_t layers, time_steps, lanes, input_size, hidden_size;
  };

  /// Gradients, laid out as the weights are.
  struct Gradients {
    std::vector<float> input, weights_ih, weights_hh, bias;
  };

  explicit OnednnLstm(const Shape& shape);
  ~OnednnLstm();

  /// Weights in PyTorch's layout, [L, 4H, I] and [L, 4H, H], gates i,f,g,o; bias [L, 4H] is the sum
  /// of both. They are copied into the layouts that the primitive prefers.
  void SetWeights(const float* weights_ih, const float* weights_hh, const float* bias);

  /// x is [T, B, I]; h and c are [L, B, H] and are replaced by the state after the last time step.
  /// Returns the last layer's outputs [T, B, H], which live until the next Forward.
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

#endif  // LOCKSTEP_TESTS_WORKER_ONEDNN_LSTM_H_
