// Sigmoid and tanh, for Highway's kernels: included once for each target, after foreach_target.h.

#if defined(LOCKSTEP_WORKER_LAYERS_ACTIVATIONS_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LOCKSTEP_WORKER_LAYERS_ACTIVATIONS_INL_H_
#undef LOCKSTEP_WORKER_LAYERS_ACTIVATIONS_INL_H_
#else
#define LOCKSTEP_WORKER_LAYERS_ACTIVATIONS_INL_H_
#endif

#include <hwy/highway.h>

#include "worker/products/exponential-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::worker::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// 1 / x for 1 <= x < 3e38. A division of sixteen floats takes 16 cycles on Intel's processors, and
// a time step of an LSTM has five of each unit; a reciprocal of 14 bits and a step of Newton's
// have 23 of them right. Single floats go the same way: which ones stand alone at the end of an
// array may depend on the number of rows.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V ReciprocalOf(D d, V x) {
  const auto one = hn::Set(d, 1.0f);
#if HWY_ARCH_X86 && HWY_TARGET <= HWY_AVX3
  static_assert(sizeof(V) == 64 || sizeof(V) == 16);
  V y;
  if constexpr (sizeof(V) == 64) {
    y.raw = _mm512_rcp14_ps(x.raw);
  } else {
    y.raw = _mm_rcp14_ps(x.raw);
  }
  return hn::MulAdd(y, hn::NegMulAdd(x, y, one), y);
#else
  return hn::Div(one, x);
#endif
}

// 1 / (1 + e^-x), which is 1 or e^-88 where e^-x is beyond its bounds. (26 instructions with
// AVX-512, 31 with AVX2; by Highway's Exp 48 and 53.)
template <class D, class V = hn::Vec<D>>
HWY_INLINE V SigmoidOf(D d, V x) {
  const auto e = PartsOfExponential(d, Between(d, kLeastExponent, kMostExponent, hn::Neg(x)));
  const auto sum = hn::MulAdd(e.factor, e.power, hn::Set(d, 1.0f));
  return WithNanOf(d, x, ReciprocalOf(d, sum));
}

// x P(x^2) / Q(x^2) on [-8.5, 8.5], outside of which it is 1 or -1 to the last bit but one. P and Q
// were fitted to the least relative error (1.2e-8 before they were rounded) by Lawson's weights;
// with all roundings it is below 6 units in the last place without FMA, below 5 with it, and 0.6 on
// average. (Highway's Tanh: 4 at most, with more than twice the instructions.) NaN stays NaN.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V TanhOf(D d, V x) {
  const auto c = [&](float value) { return hn::Set(d, value); };
  const auto near = Between(d, -8.5f, 8.5f, x);
  const auto u = hn::Mul(near, near);
  auto p = hn::MulAdd(c(1.42685380e-08f), u, c(2.12506609e-05f));
  auto q = hn::MulAdd(c(8.14487537e-07f), u, c(3.34883119e-04f));
  p = hn::MulAdd(p, u, c(3.53400838e-03f));
  q = hn::MulAdd(q, u, c(2.60226861e-02f));
  p = hn::MulAdd(p, u, c(1.34132330e-01f));
  q = hn::MulAdd(q, u, c(4.67465558e-01f));
  p = hn::MulAdd(p, u, c(1.0f));
  q = hn::MulAdd(q, u, c(1.0f));
  const auto y = hn::Mul(hn::Mul(near, p), ReciprocalOf(d, q));
  return WithNanOf(d, x, Between(d, -1.0f, 1.0f, y));
}

}  // namespace lockstep::worker::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LOCKSTEP_WORKER_LAYERS_ACTIVATIONS_INL_H_
