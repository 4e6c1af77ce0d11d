#include "worker/layers/pooling_kernels.h"

#include "worker/products/instruction_set.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "worker/layers/pooling_kernels.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// Highway's own order: after foreach_target.
#include "worker/layers/activations-inl.h"
#include "worker/products/vector_loops-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::worker::HWY_NAMESPACE {
namespace {
namespace hn = hwy::HWY_NAMESPACE;

float TanhAndProductRow(int64_t n, const float* v, float* x) {
  return SumOverVectors(n, [&](auto d, int64_t i) {
    const auto y = TanhOf(d, hn::LoadU(d, x + i));
    hn::StoreU(y, d, x + i);
    return hn::Mul(y, hn::LoadU(d, v + i));
  });
}

void TanhAndProductBackwardRow(int64_t n, float s, const float* v, float* x) {
  ForEachVector(n, [&](auto d, int64_t i) {
    const auto y = hn::LoadU(d, x + i);
    const auto slope = hn::NegMulAdd(y, y, hn::Set(d, 1.0f));
    hn::StoreU(hn::Mul(hn::Mul(hn::Set(d, s), hn::LoadU(d, v + i)), slope), d, x + i);
  });
}

void AddScaledRowHere(int64_t n, float factor, const float* x, float* sum) {
  ForEachVector(n, [&](auto d, int64_t i) {
    hn::StoreU(hn::MulAdd(hn::Set(d, factor), hn::LoadU(d, x + i), hn::LoadU(d, sum + i)), d,
               sum + i);
  });
}

float RowProductHere(int64_t n, const float* x, const float* y) {
  return SumOverVectors(
      n, [&](auto d, int64_t i) { return hn::Mul(hn::LoadU(d, x + i), hn::LoadU(d, y + i)); });
}

void KeepLargestHere(int64_t n, int32_t t, const float* x, float* most, int32_t* place) {
  ForEachVector(n, [&](auto d, int64_t i) {
    const hn::RebindToSigned<decltype(d)> di;
    const auto value = hn::LoadU(d, x + i), old = hn::LoadU(d, most + i);
    const auto larger = hn::Or(hn::Gt(value, old), hn::IsNaN(value));
    hn::StoreU(hn::IfThenElse(larger, value, old), d, most + i);
    hn::StoreU(hn::IfThenElse(hn::RebindMask(di, larger), hn::Set(di, t), hn::LoadU(di, place + i)),
               di, place + i);
  });
}

}  // namespace
}  // namespace lockstep::worker::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lockstep::worker {

HWY_EXPORT(TanhAndProductRow);
HWY_EXPORT(TanhAndProductBackwardRow);
HWY_EXPORT(AddScaledRowHere);
HWY_EXPORT(RowProductHere);
HWY_EXPORT(KeepLargestHere);

float TanhAndProduct(int64_t n, const float* v, float* x) {
  return LOCKSTEP_DISPATCH(TanhAndProductRow)(n, v, x);
}

void TanhAndProductBackward(int64_t n, float s, const float* v, float* x) {
  LOCKSTEP_DISPATCH(TanhAndProductBackwardRow)(n, s, v, x);
}

void AddScaledRow(int64_t n, float factor, const float* x, float* sum) {
  LOCKSTEP_DISPATCH(AddScaledRowHere)(n, factor, x, sum);
}

float RowProduct(int64_t n, const float* x, const float* y) {
  return LOCKSTEP_DISPATCH(RowProductHere)(n, x, y);
}

void KeepLargest(int64_t n, int32_t t, const float* x, float* most, int32_t* place) {
  LOCKSTEP_DISPATCH(KeepLargestHere)(n, t, x, most, place);
}

}  // namespace lockstep::worker
#endif
