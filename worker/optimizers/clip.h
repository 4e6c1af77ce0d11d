#ifndef LOCKSTEP_WORKER_OPTIMIZERS_CLIP_H_
#define LOCKSTEP_WORKER_OPTIMIZERS_CLIP_H_

#include <cstdint>
#include <limits>
#include <span>
#include <vector>

#include "worker/parameters.h"

namespace lockstep::worker {

/// The Euclidean norm, summed in double in fixed blocks: it depends on the values only, not on
/// threads.
double GlobalNorm(std::span<const float> x);

/// The same of an array of which several have a part each. The squares of x by blocks of
/// kNormBlock elements, 0 of blocks that none of `ranges` has; ranges begin and end with blocks.
/// The norm is NormOfBlocks of the sum of all parts' squares, bit for bit that of GlobalNorm.
inline constexpr int64_t kNormBlock = 4096;
std::vector<double> BlockSquares(std::span<const float> x, std::span<const ParameterRange> ranges);
double NormOfBlocks(std::span<const double> squares);

/// What an update makes of a gradient g as it reads it: factor g, clamped to [-limit, limit].
struct GradientChange {
  double factor = 1.0;
  double limit = std::numeric_limits<double>::infinity();
};

/// max_norm / (norm + 1e-6) where that is below 1, else 1: what torch.nn.utils.clip_grad_norm_
/// multiplies a gradient of this norm with (Pascanu et al. 2013).
double NormClipFactor(double norm, double max_norm);

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_OPTIMIZERS_CLIP_H_
