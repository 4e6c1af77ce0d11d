#include "worker/optimizers/averaging.h"

#include <algorithm>
#include <utility>

namespace lockstep::worker {

Averaging::Averaging(const AveragingOptions& options, int64_t size) : options_(options) {
  if (!enabled() || size == 0) return;
  values_.Require(size);
  std::fill_n(values_.data(), size, 0.0f);
}

void Averaging::Update(std::span<const float> weights) {
  double share = 1.0;  // of the new weights
  const auto n = static_cast<double>(state_.count);
  if (const auto* ema = std::get_if<ExponentialAveraging>(&options_)) {
    if (state_.count > 0) share = 1.0 - std::min(ema->decay, (1.0 + n) / (10.0 + n));
  } else if (std::holds_alternative<TriggeredAveraging>(options_) && state_.begun) {
    share = 1.0 / (n + 1.0);
  } else {
    return;
  }
  float* a = values_.data();
  const auto size = static_cast<int64_t>(weights.size());
  if (state_.count++ == 0) {
    std::ranges::copy(weights, a);
    return;
  }
  const float* w = weights.data();
  const auto part = static_cast<float>(share);
#pragma omp parallel for simd schedule(static)
  for (int64_t i = 0; i < size; ++i) a[i] += part * (w[i] - a[i]);
}

bool Averaging::Observe(double validation_loss) {
  const auto* triggered = std::get_if<TriggeredAveraging>(&options_);
  if (!triggered || state_.begun) return false;
  if (validation_loss > state_.least) {
    state_ = {};
    state_.begun = true;
    return true;
  }
  state_.recent.push_back(validation_loss);
  if (std::ssize(state_.recent) > triggered->patience) {
    state_.least = std::min(state_.least, state_.recent.front());
    state_.recent.pop_front();
  }
  return false;
}

void Averaging::Swap(std::span<float> weights) {
  if (active()) std::ranges::swap_ranges(weights, values().first(weights.size()));
}

}  // namespace lockstep::worker
