#include "worker/optimizers/clip.h"

#include <algorithm>
#include <cmath>

#include "worker/optimizers/update_kernels.h"

namespace lockstep::worker {

double GlobalNorm(std::span<const float> x) {
  return std::sqrt(SumOfSquares(std::ssize(x), x.data()));
}

double NormClipFactor(double norm, double max_norm) {
  constexpr double kEpsilon = 1e-6;  // PyTorch's
  return std::min(1.0, max_norm / (norm + kEpsilon));
}

}  // namespace lockstep::worker
