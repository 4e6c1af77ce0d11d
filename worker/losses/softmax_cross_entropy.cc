#include "worker/losses/softmax_cross_entropy.h"

#include <cmath>
#include <vector>

#include "worker/products/instruction_set.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "worker/losses/softmax_cross_entropy.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// Highway's own order: after foreach_target.
#include <hwy/contrib/math/math-inl.h>

HWY_BEFORE_NAMESPACE();
namespace lockstep::worker::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

float RowMaximum(int64_t n, const float* x) {
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

// Highway's Exp makes 0 of NaN, which would hide that a training has diverged.
template <class D, class V = hn::Vec<D>>
V Exponential(D d, V x) {
  return hn::IfThenElse(hn::IsNaN(x), x, hn::Exp(d, x));
}

// x = exp(x - maximum), and their sum.
float Exponentials(int64_t n, float maximum, float* x) {
  const hn::ScalableTag<float> d;
  const hn::CappedTag<float, 1> single;
  const int64_t width = static_cast<int64_t>(hn::Lanes(d));
  auto sums = hn::Zero(d);
  int64_t i = 0;
  for (; i + width <= n; i += width) {
    const auto e = Exponential(d, hn::Sub(hn::LoadU(d, x + i), hn::Set(d, maximum)));
    hn::StoreU(e, d, x + i);
    sums = hn::Add(sums, e);
  }
  float sum = hn::GetLane(hn::SumOfLanes(d, sums));
  for (; i < n; ++i) {
    const auto e = Exponential(single, hn::Sub(hn::LoadU(single, x + i), hn::Set(single, maximum)));
    hn::StoreU(e, single, x + i);
    sum += hn::GetLane(e);
  }
  return sum;
}

double CrossEntropyRow(int64_t classes, int32_t target, float* x, bool gradient) {
  if (target < 0) {
    if (gradient) {
      for (int64_t i = 0; i < classes; ++i) x[i] = 0.0f;
    }
    return 0.0;
  }
  const float maximum = RowMaximum(classes, x);
  const float target_logit = x[target];
  const float sum = Exponentials(classes, maximum, x);
  if (gradient) {
    const float scale = 1.0f / sum;
    for (int64_t i = 0; i < classes; ++i) x[i] *= scale;
    x[target] -= 1.0f;
  }
  return std::log(static_cast<double>(sum)) + (static_cast<double>(maximum) - target_logit);
}

}  // namespace lockstep::worker::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lockstep::worker {

HWY_EXPORT(CrossEntropyRow);

double SoftmaxCrossEntropy(int64_t rows, int64_t classes, const int32_t* targets, float* logits,
                           bool gradient) {
  std::vector<double> losses(rows);
#pragma omp parallel for schedule(static)
  for (int64_t row = 0; row < rows; ++row) {
    losses[row] =
        LOCKSTEP_DISPATCH(CrossEntropyRow)(classes, targets[row], logits + row * classes, gradient);
  }
  double sum = 0.0;
  for (const double loss : losses) sum += loss;
  return sum;
}

}  // namespace lockstep::worker
#endif
