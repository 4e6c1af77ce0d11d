// e^x, for Highway's kernels: included once for each target, after foreach_target.h.

#if defined(LOCKSTEP_WORKER_PRODUCTS_EXPONENTIAL_INL_H_) == defined(HWY_TARGET_TOGGLE)
#ifdef LOCKSTEP_WORKER_PRODUCTS_EXPONENTIAL_INL_H_
#undef LOCKSTEP_WORKER_PRODUCTS_EXPONENTIAL_INL_H_
#else
#define LOCKSTEP_WORKER_PRODUCTS_EXPONENTIAL_INL_H_
#endif

#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace lockstep::worker::HWY_NAMESPACE {

namespace hn = hwy::HWY_NAMESPACE;

// x86's minimum and maximum are the second operand where either is NaN: with the bound first, x's
// NaN passes.
constexpr bool kBoundsPassNan =
    HWY_ARCH_X86 && HWY_TARGET != HWY_SCALAR && HWY_TARGET != HWY_EMU128;
template <class D, class V = hn::Vec<D>>
HWY_INLINE V Between(D d, float least, float most, V x) {
  return hn::Min(hn::Set(d, most), hn::Max(hn::Set(d, least), x));
}
// y, which is NaN where x is.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V WithNanOf(D, V x, V y) {
  return kBoundsPassNan ? y : hn::IfThenElse(hn::IsNaN(x), x, y);
}

// e^x is the product of both, the second one a power of two, where x is within the bounds. These
// keep n + 127 within 1 to 254, and 1 + e^x below 3e38 for the sigmoid's reciprocal. e^x = 2^n e^r
// with |r| <= log(2) / 2, and e^r = 1 + r + r^2 q(r), q fitted to the least relative error (3e-9).
constexpr float kLeastExponent = -87.0f, kMostExponent = 88.0f;
template <class V>
struct ExponentialParts {
  V factor, power;
};
template <class D, class V = hn::Vec<D>>
HWY_INLINE ExponentialParts<V> PartsOfExponential(D d, V x) {
  const auto c = [&](float value) { return hn::Set(d, value); };
  const hn::RebindToSigned<D> di;
  // n + 127 behind so large a number that nothing smaller than 1 has place: the last bits are n's.
  const auto large = c(12582912.0f + 127.0f);
  const auto last_bits = hn::MulAdd(x, c(1.44269504f), large);
  const auto n = hn::Sub(last_bits, large);
  // log(2) in two parts, the first of which has so few bits that n times it is exact.
  const auto r = hn::NegMulAdd(n, c(-2.12194440e-4f), hn::NegMulAdd(n, c(0.693359375f), x));
  auto p = hn::MulAdd(c(1.38145313e-03f), r, c(8.36874545e-03f));
  p = hn::MulAdd(p, r, c(4.16683927e-02f));
  p = hn::MulAdd(p, r, c(1.66665211e-01f));
  p = hn::MulAdd(p, r, c(4.99999940e-01f));
  p = hn::MulAdd(p, r, c(1.0f));
  p = hn::MulAdd(p, r, c(1.0f));
  return {p, hn::BitCast(d, hn::ShiftLeft<23>(hn::BitCast(di, last_bits)))};
}

// e^x to 2 units in the last place; below -87 it is 0, above 88 e^88, and NaN stays NaN.
template <class D, class V = hn::Vec<D>>
HWY_INLINE V Exponential(D d, V x) {
  const auto parts = PartsOfExponential(d, Between(d, kLeastExponent, kMostExponent, x));
  const auto e = hn::Mul(parts.factor, parts.power);
  const auto is_small = hn::Lt(x, hn::Set(d, kLeastExponent));
  return WithNanOf(d, x, hn::IfThenZeroElse(is_small, e));
}

}  // namespace lockstep::worker::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#endif  // LOCKSTEP_WORKER_PRODUCTS_EXPONENTIAL_INL_H_
