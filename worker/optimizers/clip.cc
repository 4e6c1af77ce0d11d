#include "worker/optimizers/clip.h"

#include <algorithm>
#include <cmath>
#include <cstdint>
#include <vector>

namespace lockstep::worker {

void Scale(std::span<float> x, double factor) {
  const auto f = static_cast<float>(factor);
  const auto n = static_cast<int64_t>(x.size());
#pragma omp parallel for simd schedule(static)
  for (int64_t i = 0; i < n; ++i) x[i] *= f;
}

double GlobalNorm(std::span<const float> x) {
  constexpr int64_t kBlock = 4096;
  const auto n = static_cast<int64_t>(x.size());
  const int64_t blocks = (n + kBlock - 1) / kBlock;
  std::vector<double> sums(blocks);
#pragma omp parallel for schedule(static)
  for (int64_t block = 0; block < blocks; ++block) {
    double sum = 0.0;
    const int64_t end = std::min(n, (block + 1) * kBlock);
#pragma omp simd reduction(+ : sum)
    for (int64_t i = block * kBlock; i < end; ++i) sum += static_cast<double>(x[i]) * x[i];
    sums[block] = sum;
  }
  double total = 0.0;
  for (const double sum : sums) total += sum;
  return std::sqrt(total);
}

void ClipByGlobalNorm(std::span<float> gradient, double norm, double max_norm) {
  constexpr double kEpsilon = 1e-6;  // PyTorch's
  const double factor = max_norm / (norm + kEpsilon);
  if (factor < 1.0) Scale(gradient, factor);
}

void ClipByValue(std::span<float> gradient, double limit) {
  const auto bound = static_cast<float>(limit);
  const auto n = static_cast<int64_t>(gradient.size());
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < n; ++i) gradient[i] = std::clamp(gradient[i], -bound, bound);
}

}  // namespace lockstep::worker
