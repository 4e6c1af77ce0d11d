#ifndef LOCKSTEP_TRAINER_RUN_PROGRESS_H_
#define LOCKSTEP_TRAINER_RUN_PROGRESS_H_

#include <chrono>
#include <cstdint>
#include <string>

#include "trainer/run/replica.h"
#include "trainer/terminal/console.h"

namespace lockstep::trainer {

/// "1:02:03" or "4:05".
std::string DescribeSeconds(double seconds);

/// The progress of a training: a live line on a terminal, elsewhere a plain line at intervals.
class Progress {
 public:
  struct Plan {
    int64_t total_steps = 0;
    int64_t steps_per_epoch = 0;
    double interval_seconds = 10.0;
  };

  /// `console` and `task` must outlive this. `first_step` is where this process starts.
  Progress(Console& console, const Task& task, const Plan& plan, int64_t first_step);

  /// After each step.
  void Step(const Position& position, int64_t step_predictions);

  /// The line for what has come since the last one, now.
  void Flush(const Position& position);

 private:
  using Clock = std::chrono::steady_clock;
  std::string Line(const Position& position) const;

  Console& console_;
  const Task& task_;
  const Plan plan_;
  const int64_t first_step_;
  const Clock::time_point started_ = Clock::now();
  Clock::time_point line_at_ = started_;
  Clock::time_point live_at_ = started_;
  // Since the last plain line.
  int64_t steps_ = 0;
  int64_t predictions_ = 0;
  double loss_sum_ = 0.0;
};

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_RUN_PROGRESS_H_
