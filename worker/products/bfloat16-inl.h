// Products of pairs of bfloat16, for Highway's kernels: included once for each target, after
// highway.h.

#if defined(LOCKSTEP_WORKER_PRODUCTS_BFLOAT16_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LOCKSTEP_WORKER_PRODUCTS_BFLOAT16_INL_H_
#undef LOCKSTEP_WORKER_PRODUCTS_BFLOAT16_INL_H_
#else
#define LOCKSTEP_WORKER_PRODUCTS_BFLOAT16_INL_H_
#endif

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace lockstep::worker::HWY_NAMESPACE {

#undef LOCKSTEP_HAS_BFLOAT16_PAIRS
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
#define LOCKSTEP_HAS_BFLOAT16_PAIRS 1

// sum + the products of both halves of a and b. Only where HasBfloat16Instructions(): Highway 1.0.3
// has no target with AVX512_BF16, so the compiler must not know of it here. By value, or the sums
// of a loop stay in memory.
using PairsOfFloats = hwy::HWY_NAMESPACE::ScalableTag<float>;
HWY_INLINE hwy::HWY_NAMESPACE::Vec<PairsOfFloats> AddPairs(
    hwy::HWY_NAMESPACE::Vec<hwy::HWY_NAMESPACE::RebindToUnsigned<PairsOfFloats>> a,
    hwy::HWY_NAMESPACE::Vec<hwy::HWY_NAMESPACE::RebindToUnsigned<PairsOfFloats>> b,
    hwy::HWY_NAMESPACE::Vec<PairsOfFloats> sum) {
  asm("vdpbf16ps %2, %1, %0" : "+v"(sum.raw) : "v"(a.raw), "v"(b.raw));
  return sum;
}
#else
#define LOCKSTEP_HAS_BFLOAT16_PAIRS 0
#endif

}  // namespace lockstep::worker::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LOCKSTEP_WORKER_PRODUCTS_BFLOAT16_INL_H_
