#include "worker/layers/tanh.h"

#include <algorithm>

#include "worker/products/instruction_set.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "worker/layers/tanh.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// Highway's own order: after foreach_target.
#include "worker/layers/activations-inl.h"
#include "worker/products/vector_loops-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::worker::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

void TanhPart(int64_t size, float* x) {
  ForEachVector(size, [&](auto d, int64_t i) {
    const auto value = hn::LoadU(d, x + i);
    hn::StoreU(TanhOf(d, value), d, x + i);
  });
}

}  // namespace lockstep::worker::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lockstep::worker {

HWY_EXPORT(TanhPart);

void Tanh(int64_t size, float* x) {
  constexpr int64_t kPart = 1024;
#pragma omp parallel for schedule(static)
  for (int64_t begin = 0; begin < size; begin += kPart) {
    LOCKSTEP_DISPATCH(TanhPart)(std::min(kPart, size - begin), x + begin);
  }
}

void TanhBackward(int64_t size, const float* y, float* d) {
#pragma omp parallel for simd schedule(static)
  for (int64_t i = 0; i < size; ++i) d[i] *= 1.0f - y[i] * y[i];
}

}  // namespace lockstep::worker
#endif
