// Softmax of a row, for Highway's kernels: included once for each target, after highway.h.

#if defined(LOCKSTEP_WORKER_LOSSES_SOFTMAX_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LOCKSTEP_WORKER_LOSSES_SOFTMAX_INL_H_
#undef LOCKSTEP_WORKER_LOSSES_SOFTMAX_INL_H_
#else
#define LOCKSTEP_WORKER_LOSSES_SOFTMAX_INL_H_
#endif

#include <cstdint>

#include <hwy/highway.h>

#include "worker/products/exponential-inl.h"
#include "worker/products/vector_loops-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::worker::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

inline float RowMaximum(int64_t n, const float* x) {
  const hn::ScalableTag<float> d;
  const int64_t width = static_cast<int64_t>(hn::Lanes(d));
  float maximum = x[0];
  int64_t i = 0;
  if (n >= width) {
    auto most = hn::LoadU(d, x);
    for (i = width; i + width <= n; i += width) most = hn::Max(most, hn::LoadU(d, x + i));
    maximum = hn::GetLane(hn::MaxOfLanes(d, most));
  }
  for (; i < n; ++i) maximum = x[i] > maximum ? x[i] : maximum;
  return maximum;
}

// out = exp(x - maximum), and their sum. x and out may be the same array.
inline float Exponentials(int64_t n, float maximum, const float* x, float* out) {
  return SumOverVectors(n, [&](auto d, int64_t i) {
    const auto e = Exponential(d, hn::Sub(hn::LoadU(d, x + i), hn::Set(d, maximum)));
    hn::StoreU(e, d, out + i);
    return e;
  });
}

inline void SoftmaxRow(int64_t n, float* x) {
  const float scale = 1.0f / Exponentials(n, RowMaximum(n, x), x, x);
  for (int64_t i = 0; i < n; ++i) x[i] *= scale;
}

}  // namespace lockstep::worker::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LOCKSTEP_WORKER_LOSSES_SOFTMAX_INL_H_
