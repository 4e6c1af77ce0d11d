#include "worker/optimizers/dynamic_step.h"

#include <algorithm>
#include <cstdint>

namespace lockstep::worker {

void DynamicStep(std::span<float> weights, std::span<const float> gradient,
                 std::span<const float> start, std::span<const float> relative, double rate,
                 double decay) {
  const auto size = static_cast<int64_t>(weights.size());
  const auto a = static_cast<float>(rate), back = static_cast<float>(std::min(decay, 1.0));
  float* w = weights.data();
  const float *g = gradient.data(), *w0 = start.data(), *s = relative.data();
  if (relative.empty()) {
#pragma omp parallel for simd schedule(static)
    for (int64_t i = 0; i < size; ++i) w[i] += back * (w0[i] - w[i]) - a * g[i];
    return;
  }
#pragma omp parallel for simd schedule(static)
  for (int64_t i = 0; i < size; ++i) {
    w[i] += std::min(back * s[i], 1.0f) * (w0[i] - w[i]) - a * g[i] / (s[i] + 1.0f);
  }
}

}  // namespace lockstep::worker
