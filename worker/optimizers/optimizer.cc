#include "worker/optimizers/optimizer.h"

#include <algorithm>
#include <cmath>

namespace lockstep::worker {
namespace {

// Calls body(i) for every element, in vectors on all threads.
template <class Body>
void ForEach(int64_t size, const Body& body) {
#pragma omp parallel for simd schedule(static)
  for (int64_t i = 0; i < size; ++i) body(i);
}

float Single(double x) { return static_cast<float>(x); }

}  // namespace

Optimizer::Optimizer(const OptimizerOptions& options, int64_t size)
    : options_(options), size_(size) {
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
                     double learning_rate) {
  ++steps_;
  std::visit([&](const auto& o) { Update(o, weights.data(), gradient.data(), learning_rate); },
             options_);
}

void Optimizer::Update(const AdamOptions& o, float* w, const float* g, double rate) {
  float* m = slots_[0].values.data();
  float* v = slots_[1].values.data();
  const double correction1 = 1.0 - std::pow(o.beta1, steps_);
  const double correction2 = 1.0 - std::pow(o.beta2, steps_);
  const float step_size = Single(rate / correction1), root2 = Single(std::sqrt(correction2));
  const float b1 = Single(o.beta1), b2 = Single(o.beta2), epsilon = Single(o.epsilon);
  const float b1_rest = Single(1.0 - o.beta1), b2_rest = Single(1.0 - o.beta2);
  const float l2 = o.decoupled ? 0.0f : Single(o.weight_decay);
  const float keep = o.decoupled ? Single(1.0 - rate * o.weight_decay) : 1.0f;
  ForEach(size_, [=](int64_t i) {
    const float weight = w[i] * keep;
    const float gradient = g[i] + l2 * weight;
    m[i] = b1 * m[i] + b1_rest * gradient;
    v[i] = b2 * v[i] + b2_rest * gradient * gradient;
    w[i] = weight - step_size * (m[i] / (std::sqrt(v[i]) / root2 + epsilon));
  });
}

void Optimizer::Update(const SgdOptions& o, float* w, const float* g, double rate) {
  const float a = Single(rate), l2 = Single(o.weight_decay), momentum = Single(o.momentum);
  if (o.momentum <= 0.0) {
    ForEach(size_, [=](int64_t i) { w[i] -= a * (g[i] + l2 * w[i]); });
    return;
  }
  float* u = slots_[0].values.data();
  const float share = steps_ == 1 ? 1.0f : Single(1.0 - o.dampening);
  const float own = o.nesterov ? 1.0f : 0.0f, moved = o.nesterov ? momentum : 1.0f;
  ForEach(size_, [=](int64_t i) {
    const float gradient = g[i] + l2 * w[i];
    u[i] = momentum * u[i] + share * gradient;
    w[i] -= a * (own * gradient + moved * u[i]);
  });
}

void Optimizer::Update(const RmsPropOptions& o, float* w, const float* g, double rate) {
  float* s = slots_[0].values.data();
  float* u = o.momentum > 0.0 ? slots_[1].values.data() : nullptr;
  const float a = Single(rate), l2 = Single(o.weight_decay), momentum = Single(o.momentum);
  const float alpha = Single(o.alpha), rest = Single(1.0 - o.alpha), epsilon = Single(o.epsilon);
  const auto direction = [=](int64_t i) {
    const float gradient = g[i] + l2 * w[i];
    s[i] = alpha * s[i] + rest * gradient * gradient;
    return gradient / (std::sqrt(s[i]) + epsilon);
  };
  if (u) {
    ForEach(size_, [=](int64_t i) {
      u[i] = momentum * u[i] + direction(i);
      w[i] -= a * u[i];
    });
  } else {
    ForEach(size_, [=](int64_t i) { w[i] -= a * direction(i); });
  }
}

void Optimizer::Update(const AdagradOptions& o, float* w, const float* g, double rate) {
  float* s = slots_[0].values.data();
  const float a = Single(rate / (1.0 + static_cast<double>(steps_ - 1) * o.learning_rate_decay));
  const float l2 = Single(o.weight_decay), epsilon = Single(o.epsilon);
  ForEach(size_, [=](int64_t i) {
    const float gradient = g[i] + l2 * w[i];
    s[i] += gradient * gradient;
    w[i] -= a * (gradient / (std::sqrt(s[i]) + epsilon));
  });
}

}  // namespace lockstep::worker
