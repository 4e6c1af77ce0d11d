#ifndef LOCKSTEP_WORKER_OPTIMIZERS_SCHEDULE_H_
#define LOCKSTEP_WORKER_OPTIMIZERS_SCHEDULE_H_

#include <cstdint>
#include <limits>
#include <variant>

namespace lockstep::worker {

// The factor on the learning rate at step s (from 0), counted from the end of the warm-up (n = s -
// warmup_steps >= 0) where that matters. During the warm-up the factor is (s + 1) / warmup_steps of
// what the shape gives at n = 0.

/// 1.
struct ConstantSchedule {};
/// factor^floor(n / every_steps).
struct StepSchedule {
  int64_t every_steps = 1000;
  double factor = 0.5;
};
/// factor^(n / every_steps).
struct ExponentialSchedule {
  int64_t every_steps = 1000;
  double factor = 0.5;
};
/// final + (1 - final) (1 + cos(pi n / N)) / 2 with N = total_steps - warmup_steps. Loshchilov and
/// Hutter 2017, without restarts.
struct CosineSchedule {
  double final_factor = 0.0;
  int64_t total_steps = 1;
};
/// Multiplied by `factor` each time the validation loss has not fallen below best * (1 - threshold)
/// for more than `patience` evaluations; never below minimum_factor. As
/// torch.optim.lr_scheduler.ReduceLROnPlateau.
struct PlateauSchedule {
  double factor = 0.5;
  int patience = 2;
  double threshold = 1e-4;
  double minimum_factor = 0.0;
};

using ScheduleShape = std::variant<ConstantSchedule, StepSchedule, ExponentialSchedule,
                                   CosineSchedule, PlateauSchedule>;

/// What a plateau schedule remembers; unused by the other shapes. Belongs into a checkpoint.
struct PlateauState {
  double factor = 1.0;
  double best = std::numeric_limits<double>::infinity();
  int64_t bad_evaluations = 0;
};

/// The learning rate of every step: a pure function of the step and, for the plateau, of the
/// evaluations so far.
class Schedule {
 public:
  Schedule(double learning_rate, int64_t warmup_steps, ScheduleShape shape);

  /// Of the update number `step`, from 0.
  double Rate(int64_t step) const;

  /// Tells the schedule of an evaluation.
  void Observe(double validation_loss);

  const PlateauState& plateau() const { return plateau_; }
  void set_plateau(const PlateauState& state) { plateau_ = state; }

 private:
  double Factor(int64_t n) const;

  const double learning_rate_;
  const int64_t warmup_steps_;
  const ScheduleShape shape_;
  PlateauState plateau_;
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_OPTIMIZERS_SCHEDULE_H_
