#ifndef LOCKSTEP_WORKER_LAYERS_LAYER_NORM_H_
#define LOCKSTEP_WORKER_LAYERS_LAYER_NORM_H_

#include <cstdint>

namespace lockstep::worker {

/// Rows of layer normalisation (Ba, Kiros and Hinton 2016): n = (x - mean(x)) / sqrt(var(x) +
/// 1e-5), over the `width` columns of a row, var divided by `width`; y = gain n + bias. As
/// PyTorch's layer_norm. Arrays are [rows, width] with rows as far apart as the strides say.
struct LayerNormRows {
  int64_t rows = 0;
  int64_t width = 0;
  const float* gain = nullptr;         ///< [width]
  float* normalized = nullptr;         ///< n, which the way back needs
  int64_t normalized_stride = 0;       ///< floats from one row of n to the next
  float* inverse_deviation = nullptr;  ///< 1 / sqrt(var + 1e-5) of each row
  int64_t inverse_deviation_stride = 1;
};

/// Reads x, which may be n's own array; writes n, inverse_deviation and, unless y is nullptr, y,
/// which may be x's array. bias is [width], or nullptr: 0.
void LayerNormForward(const LayerNormRows& of, const float* x, int64_t x_stride, const float* bias,
                      float* y, int64_t y_stride);

/// dL/dx from dL/dy; d_x may be d_y's array.
void LayerNormBackward(const LayerNormRows& of, const float* d_y, int64_t d_y_stride, float* d_x,
                       int64_t d_x_stride);

/// The gradient of the gains: adds the sum over rows of dL/dy n to d_gain [width].
void AddGainGradient(const LayerNormRows& of, const float* d_y, int64_t d_y_stride, float* d_gain);

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_LAYERS_LAYER_NORM_H_
