#include "worker/losses/log_sum_exp.h"

#include <cmath>

#include "worker/products/instruction_set.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "worker/losses/log_sum_exp.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// After foreach_target, once for each target.
#include "worker/losses/softmax-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::worker::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

double LogSumExpImpl(int64_t n, const float* x) {
  const float maximum = RowMaximum(n, x);
  const float sum = SumOverVectors(n, [&](auto d, int64_t i) {
    return Exponential(d, hn::Sub(hn::LoadU(d, x + i), hn::Set(d, maximum)));
  });
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
