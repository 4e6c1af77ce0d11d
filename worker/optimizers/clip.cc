#include "worker/optimizers/clip.h"

#include <algorithm>
#include <cmath>
#include <numeric>

#include "worker/optimizers/update_kernels.h"

namespace lockstep::worker {

double GlobalNorm(std::span<const float> x) {
  const ParameterRange all = {0, std::ssize(x)};
  return NormOfBlocks(BlockSquares(x, {&all, 1}));
}

std::vector<double> BlockSquares(std::span<const float> x, std::span<const ParameterRange> ranges) {
  std::vector<double> squares((x.size() + kNormBlock - 1) / kNormBlock);
  for (const ParameterRange& range : ranges) {
    SumSquares(range.size(), x.data() + range.begin, squares.data() + range.begin / kNormBlock);
  }
  return squares;
}

double NormOfBlocks(std::span<const double> squares) {
  return std::sqrt(std::accumulate(squares.begin(), squares.end(), 0.0));
}

double NormClipFactor(double norm, double max_norm) {
  constexpr double kEpsilon = 1e-6;  // PyTorch's
  return std::min(1.0, max_norm / (norm + kEpsilon));
}

}  // namespace lockstep::worker
