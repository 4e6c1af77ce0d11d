#include "worker/losses/log_sum_exp.h"

#include <cmath>

#include "worker/products/instruction_set.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "worker/losses/log_sum_exp.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// Highway's own order: after foreach_target.
#include <hwy/contrib/math/math-inl.h>

HWY_BEFORE_NAMESPACE();
namespace lockstep::worker::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Highway's Exp makes 0 of NaN, which would hide that a training has diverged.
template <class D, class V = hn::Vec<D>>
V Exponential(D d, V x) {
  return hn::IfThenElse(hn::IsNaN(x), x, hn::Exp(d, x));
}

double LogSumExpImpl(int64_t n, const float* x) {
  const hn::ScalableTag<float> d;
  const hn::CappedTag<float, 1> single;
  const int64_t width = static_cast<int64_t>(hn::Lanes(d)), full = n / width * width;
  float maximum = x[0];
  if (full > 0) {
    auto most = hn::LoadU(d, x);
    for (int64_t i = width; i < full; i += width) most = hn::Max(most, hn::LoadU(d, x + i));
    maximum = hn::GetLane(hn::MaxOfLanes(d, most));
  }
  for (int64_t i = full; i < n; ++i) maximum = x[i] > maximum ? x[i] : maximum;
  auto sums = hn::Zero(d);
  for (int64_t i = 0; i < full; i += width) {
    sums = hn::Add(sums, Exponential(d, hn::Sub(hn::LoadU(d, x + i), hn::Set(d, maximum))));
  }
  float sum = hn::GetLane(hn::SumOfLanes(d, sums));
  for (int64_t i = full; i < n; ++i) {
    sum += hn::GetLane(
        Exponential(single, hn::Sub(hn::LoadU(single, x + i), hn::Set(single, maximum))));
  }
  return std::log(static_cast<double>(sum)) + static_cast<double>(maximum);
}

}  // namespace lockstep::worker::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lockstep::worker {

HWY_EXPORT(LogSumExpImpl);

double LogSumExp(int64_t n, const float* x) { return LOCKSTEP_DISPATCH(LogSumExpImpl)(n, x); }

}  // namespace lockstep::worker
#endif
