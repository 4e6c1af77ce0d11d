#include "worker/losses/softmax_cross_entropy.h"

#include <cmath>
#include <vector>

#include "worker/parallel_for.h"
#include "worker/products/instruction_set.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "worker/losses/softmax_cross_entropy.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>
// After foreach_target, once for each target.
#include "worker/losses/softmax-inl.h"

#ifndef LOCKSTEP_WORKER_LOSSES_SOFTMAX_CROSS_ENTROPY_TARGET_
#define LOCKSTEP_WORKER_LOSSES_SOFTMAX_CROSS_ENTROPY_TARGET_
namespace lockstep::worker {

// What a row's classes weigh in its loss: `target` the target's -log p, `spread` times its weight
// every class's.
struct RowWeights {
  float target = 1.0f;
  float spread = 0.0f;
  double sum = 1.0;  // of all of these
  const float* class_weights = nullptr;
};

}  // namespace lockstep::worker
#endif

HWY_BEFORE_NAMESPACE();
namespace lockstep::worker::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// sum_v w[v] (maximum - x[v]), in double: logits of 1e38 must not overflow it.
double SumBelow(int64_t n, float maximum, const float* x, const float* w) {
  const hn::ScalableTag<double> d;
  const hn::Rebind<float, decltype(d)> df;
  const int64_t width = static_cast<int64_t>(hn::Lanes(d));
  const auto most = hn::Set(d, maximum);
  auto sums = hn::Zero(d);
  int64_t i = 0;
  for (; i + width <= n; i += width) {
    const auto below = hn::Sub(most, hn::PromoteTo(d, hn::LoadU(df, x + i)));
    const auto weight = w ? hn::PromoteTo(d, hn::LoadU(df, w + i)) : hn::Set(d, 1.0);
    sums = hn::MulAdd(weight, below, sums);
  }
  double sum = hn::GetLane(hn::SumOfLanes(d, sums));
  for (; i < n; ++i) sum += (w ? w[i] : 1.0) * (static_cast<double>(maximum) - x[i]);
  return sum;
}

double CrossEntropyRow(int64_t classes, int32_t target, const RowWeights& weights, float* x,
                       bool gradient) {
  const float* w = weights.class_weights;
  const float maximum = RowMaximum(classes, x);
  const float target_logit = x[target];
  const double below = weights.spread > 0.0f ? SumBelow(classes, maximum, x, w) : 0.0;
  const float sum = Exponentials(classes, maximum, x, x);
  if (gradient) {
    const float scale = static_cast<float>(weights.sum) / sum;
    for (int64_t i = 0; i < classes; ++i) x[i] *= scale;
    x[target] -= weights.target;
    if (weights.spread > 0.0f) {
      for (int64_t i = 0; i < classes; ++i) x[i] -= weights.spread * (w ? w[i] : 1.0f);
    }
  }
  return weights.sum * std::log(static_cast<double>(sum)) +
         weights.target * (static_cast<double>(maximum) - target_logit) + weights.spread * below;
}

}  // namespace lockstep::worker::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lockstep::worker {

HWY_EXPORT(CrossEntropyRow);
HWY_EXPORT(SoftmaxRow);

double SoftmaxCrossEntropy(int64_t rows, int64_t classes, const int32_t* targets, float* logits,
                           bool gradient, const CrossEntropyOptions& options) {
  const double spread = options.label_smoothing / static_cast<double>(classes);
  double sum_of_spread = options.label_smoothing;
  if (options.class_weights && spread > 0.0) {
    sum_of_spread = 0.0;
    for (int64_t i = 0; i < classes; ++i) sum_of_spread += spread * options.class_weights[i];
  }
  std::vector<double> losses(rows);
#pragma omp parallel for schedule(static)
  for (int64_t row = 0; row < rows; ++row) {
    float* x = logits + row * classes;
    const int32_t target = targets[row];
    if (target < 0) {
      for (int64_t i = 0; gradient && i < classes; ++i) x[i] = 0.0f;
      continue;
    }
    const double own = (1.0 - options.label_smoothing) *
                       (options.class_weights ? options.class_weights[target] : 1.0);
    const RowWeights weights = {static_cast<float>(own), static_cast<float>(spread),
                                own + sum_of_spread, options.class_weights};
    losses[row] = LOCKSTEP_DISPATCH(CrossEntropyRow)(classes, target, weights, x, gradient);
  }
  double sum = 0.0;
  for (const double loss : losses) sum += loss;
  return sum;
}

void Softmax(int64_t rows, int64_t classes, float* logits) {
  ParallelFor(rows, [&](int64_t row) {
    LOCKSTEP_DISPATCH(SoftmaxRow)(classes, logits + row * classes);
  });
}

}  // namespace lockstep::worker
#endif
