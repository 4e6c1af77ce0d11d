#include "worker/optimizers/schedule.h"

#include <algorithm>
#include <cmath>
#include <numbers>

namespace lockstep::worker {

Schedule::Schedule(double learning_rate, int64_t warmup_steps, ScheduleShape shape)
    : learning_rate_(learning_rate), warmup_steps_(warmup_steps), shape_(shape) {}

double Schedule::Factor(int64_t n) const {
  const auto steps = static_cast<double>(n);
  if (const auto* step = std::get_if<StepSchedule>(&shape_)) {
    return std::pow(step->factor, static_cast<double>(n / step->every_steps));
  }
  if (const auto* exponential = std::get_if<ExponentialSchedule>(&shape_)) {
    return std::pow(exponential->factor, steps / static_cast<double>(exponential->every_steps));
  }
  if (const auto* cosine = std::get_if<CosineSchedule>(&shape_)) {
    const int64_t span = std::max<int64_t>(1, cosine->total_steps - warmup_steps_);
    const double part = std::min(1.0, steps / static_cast<double>(span));
    return cosine->final_factor +
           (1.0 - cosine->final_factor) * 0.5 * (1.0 + std::cos(std::numbers::pi * part));
  }
  return plateau_.factor;
}

double Schedule::Rate(int64_t step) const {
  if (step < warmup_steps_) {
    return learning_rate_ * Factor(0) * static_cast<double>(step + 1) /
           static_cast<double>(warmup_steps_);
  }
  return learning_rate_ * Factor(step - warmup_steps_);
}

void Schedule::Observe(double validation_loss) {
  const auto* plateau = std::get_if<PlateauSchedule>(&shape_);
  if (!plateau) return;
  if (validation_loss < plateau_.best * (1.0 - plateau->threshold)) {
    plateau_.best = validation_loss;
    plateau_.bad_evaluations = 0;
  } else if (++plateau_.bad_evaluations > plateau->patience) {
    plateau_.factor = std::max(plateau->minimum_factor, plateau_.factor * plateau->factor);
    plateau_.bad_evaluations = 0;
  }
}

}  // namespace lockstep::worker
