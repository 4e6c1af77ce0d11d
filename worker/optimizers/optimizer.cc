#include "worker/optimizers/optimizer.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "worker/optimizers/update_kernels.h"

namespace lockstep::worker {
namespace {

// Ranks of different processors must come to the same number: the C library's pow has other code
// for each.
double Power(double base, int64_t exponent) {
  double power = 1.0;
  for (; exponent > 0; exponent /= 2, base *= base) {
    if (exponent % 2 != 0) power *= base;
  }
  return power;
}

float Single(double x) { return static_cast<float>(x); }

int64_t SizeOf(const std::vector<ParameterRange>& ranges) {
  int64_t size = 0;
  for (const ParameterRange& range : ranges) size += range.size();
  return size;
}

}  // namespace

Optimizer::Optimizer(const OptimizerOptions& options, std::vector<ParameterRange> ranges)
    : options_(options), ranges_(std::move(ranges)), size_(SizeOf(ranges_)) {
  if (std::holds_alternative<AdamOptions>(options)) {
    AddSlot("exp_avg", 0.0f);
    AddSlot("exp_avg_sq", 0.0f);
  } else if (const auto* sgd = std::get_if<SgdOptions>(&options)) {
    if (sgd->momentum > 0.0) AddSlot("momentum_buffer", 0.0f);
  } else if (const auto* rmsprop = std::get_if<RmsPropOptions>(&options)) {
    AddSlot("square_avg", 0.0f);
    if (rmsprop->momentum > 0.0) AddSlot("momentum_buffer", 0.0f);
  } else if (const auto* adagrad = std::get_if<AdagradOptions>(&options)) {
    AddSlot("sum", Single(adagrad->initial_accumulator));
  }
}

float* Optimizer::AddSlot(const std::string& name, float value) {
  Slot& slot = slots_.emplace_back(Slot{name, Buffer(size_)});
  std::fill_n(slot.values.data(), size_, value);
  return slot.values.data();
}

void Optimizer::Step(std::span<float> weights, std::span<const float> gradient,
                     double learning_rate, const GradientChange& change) {
  ++steps_;
  int64_t at = 0;  // in the slots
  for (const ParameterRange& range : ranges_) {
    UpdateArrays arrays = {.size = range.size(),
                           .weights = weights.data() + range.begin,
                           .gradient = gradient.data() + range.begin,
                           .factor = Single(change.factor),
                           .limit = Single(change.limit)};
    if (!slots_.empty()) arrays.first = slots_[0].values.data() + at;
    if (slots_.size() > 1) arrays.second = slots_[1].values.data() + at;
    std::visit([&](const auto& o) { Update(o, arrays, learning_rate); }, options_);
    at += range.size();
  }
}

void Optimizer::Update(const AdamOptions& o, const UpdateArrays& arrays, double rate) {
  const double correction1 = 1.0 - Power(o.beta1, steps_);
  const double root2 = std::sqrt(1.0 - Power(o.beta2, steps_));
  UpdateAdam({.b1 = Single(o.beta1),
              .b1_rest = Single(1.0 - o.beta1),
              .b2 = Single(o.beta2),
              .b2_rest = Single(1.0 - o.beta2),
              .step = Single(rate / correction1 * root2),
              .epsilon = Single(o.epsilon * root2),
              .l2 = o.decoupled ? 0.0f : Single(o.weight_decay),
              .keep = o.decoupled ? Single(1.0 - rate * o.weight_decay) : 1.0f},
             arrays);
}

void Optimizer::Update(const SgdOptions& o, const UpdateArrays& arrays, double rate) {
  const float momentum = Single(o.momentum);
  UpdateSgd({.rate = Single(rate),
             .l2 = Single(o.weight_decay),
             .momentum = momentum,
             .share = steps_ == 1 ? 1.0f : Single(1.0 - o.dampening),
             .own = o.nesterov ? 1.0f : 0.0f,
             .moved = o.nesterov ? momentum : 1.0f},
            arrays);
}

void Optimizer::Update(const RmsPropOptions& o, const UpdateArrays& arrays, double rate) {
  UpdateRmsProp({.rate = Single(rate),
                 .l2 = Single(o.weight_decay),
                 .momentum = Single(o.momentum),
                 .alpha = Single(o.alpha),
                 .rest = Single(1.0 - o.alpha),
                 .epsilon = Single(o.epsilon)},
                arrays);
}

void Optimizer::Update(const AdagradOptions& o, const UpdateArrays& arrays, double rate) {
  const double decayed = 1.0 + static_cast<double>(steps_ - 1) * o.learning_rate_decay;
  UpdateAdagrad(
      {.rate = Single(rate / decayed), .l2 = Single(o.weight_decay), .epsilon = Single(o.epsilon)},
      arrays);
}

}  // namespace lockstep::worker
