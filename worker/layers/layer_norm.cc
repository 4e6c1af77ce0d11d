#include "worker/layers/layer_norm.h"

#include <algorithm>
#include <cmath>

#include "worker/products/instruction_set.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "worker/layers/layer_norm.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// Highway's own order: after foreach_target.
#include "worker/products/vector_loops-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::worker::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void ForwardRow(const LayerNormRows& of, int64_t row, const float* x, const float* bias, float* y) {
  const auto width = static_cast<float>(of.width);
  float* n = of.normalized + row * of.normalized_stride;
  const float mean =
      SumOverVectors(of.width, [&](auto d, int64_t j) { return hn::LoadU(d, x + j); }) / width;
  const float squares = SumOverVectors(of.width, [&](auto d, int64_t j) {
    const auto deviation = hn::Sub(hn::LoadU(d, x + j), hn::Set(d, mean));
    return hn::Mul(deviation, deviation);
  });
  constexpr float kEpsilon = 1e-5f;
  const float inverse = 1.0f / std::sqrt(squares / width + kEpsilon);
  of.inverse_deviation[row * of.inverse_deviation_stride] = inverse;
  ForEachVector(of.width, [&](auto d, int64_t j) {
    const auto value = hn::Mul(hn::Sub(hn::LoadU(d, x + j), hn::Set(d, mean)), hn::Set(d, inverse));
    hn::StoreU(value, d, n + j);
    if (!y) return;
    const auto scaled = hn::Mul(hn::LoadU(d, of.gain + j), value);
    hn::StoreU(bias ? hn::Add(scaled, hn::LoadU(d, bias + j)) : scaled, d, y + j);
  });
}

void BackwardRow(const LayerNormRows& of, int64_t row, const float* d_y, float* d_x) {
  const auto width = static_cast<float>(of.width);
  const float* n = of.normalized + row * of.normalized_stride;
  const auto d_n = [&](auto d, int64_t j) {
    return hn::Mul(hn::LoadU(d, d_y + j), hn::LoadU(d, of.gain + j));
  };
  const float mean = SumOverVectors(of.width, d_n) / width;
  const float slope =
      SumOverVectors(of.width,
                     [&](auto d, int64_t j) { return hn::Mul(d_n(d, j), hn::LoadU(d, n + j)); }) /
      width;
  const float inverse = of.inverse_deviation[row * of.inverse_deviation_stride];
  ForEachVector(of.width, [&](auto d, int64_t j) {
    const auto centred = hn::Sub(d_n(d, j), hn::Set(d, mean));
    const auto value = hn::NegMulAdd(hn::Set(d, slope), hn::LoadU(d, n + j), centred);
    hn::StoreU(hn::Mul(value, hn::Set(d, inverse)), d, d_x + j);
  });
}

}  // namespace lockstep::worker::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lockstep::worker {

HWY_EXPORT(ForwardRow);
HWY_EXPORT(BackwardRow);

void LayerNormForward(const LayerNormRows& of, const float* x, int64_t x_stride, const float* bias,
                      float* y, int64_t y_stride) {
#pragma omp parallel for schedule(static)
  for (int64_t row = 0; row < of.rows; ++row) {
    LOCKSTEP_DISPATCH(ForwardRow)
    (of, row, x + row * x_stride, bias, y ? y + row * y_stride : nullptr);
  }
}

void LayerNormBackward(const LayerNormRows& of, const float* d_y, int64_t d_y_stride, float* d_x,
                       int64_t d_x_stride) {
#pragma omp parallel for schedule(static)
  for (int64_t row = 0; row < of.rows; ++row) {
    LOCKSTEP_DISPATCH(BackwardRow)(of, row, d_y + row * d_y_stride, d_x + row * d_x_stride);
  }
}

// A cache line of columns at a time, in the order of rows whatever the number of threads.
void AddGainGradient(const LayerNormRows& of, const float* d_y, int64_t d_y_stride, float* d_gain) {
  constexpr int64_t kBlock = 16;
#pragma omp parallel for schedule(static)
  for (int64_t begin = 0; begin < of.width; begin += kBlock) {
    const int64_t width = std::min(kBlock, of.width - begin);
    double sums[kBlock] = {};
    for (int64_t row = 0; row < of.rows; ++row) {
      const float* n = of.normalized + row * of.normalized_stride + begin;
      const float* d = d_y + row * d_y_stride + begin;
      for (int64_t j = 0; j < width; ++j) sums[j] += static_cast<double>(d[j] * n[j]);
    }
    for (int64_t j = 0; j < width; ++j) {
      d_gain[begin + j] = static_cast<float>(d_gain[begin + j] + sums[j]);
    }
  }
}

}  // namespace lockstep::worker
#endif
