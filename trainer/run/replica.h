#ifndef LOCKSTEP_TRAINER_RUN_REPLICA_H_
#define LOCKSTEP_TRAINER_RUN_REPLICA_H_

#include <array>
#include <cstdint>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "trainer/data/lane_range.h"
#include "trainer/run/evaluation.h"
#include "trainer/tasks/task.h"
#include "worker/optimizers/averaging.h"
#include "worker/optimizers/optimizer.h"
#include "worker/optimizers/schedule.h"

namespace lockstep::trainer {

/// The values of a task's metrics, in their order; NaN where nothing was measured.
struct MetricValues {
  MetricValues() { values.fill(std::numeric_limits<double>::quiet_NaN()); }
  std::array<double, kMostMetrics> values;
  double loss() const { return values[0]; }
};

/// Where a training stands, and what it remembers beside its arrays. The same on every rank.
/// Trivially copyable: rank 0 broadcasts it.
struct Position {
  int64_t step = 0;           ///< updates done
  int64_t epoch = 0;          ///< epochs done
  int64_t batch = 0;          ///< batches of the current epoch done
  int64_t total_batches = 0;  ///< batches done since the start; names the dropout masks
  int64_t predictions = 0;    ///< trained on since the start, in the task's unit

  int64_t evaluated_step = 0;                             ///< the last step that was evaluated
  int64_t best_step = 0;                                  ///< 0: there is none
  double best = std::numeric_limits<double>::infinity();  ///< evaluation.best_metric of that step
  int64_t evaluations_without_improvement = 0;

  double first_loss = 0.0;  ///< of step 1; 0 where a file does not tell
  int64_t bad_steps = 0;    ///< the last so many steps had a loss as of a diverged training

  // Of the last step, so that an evaluation that was put off by a stop still finds its line of
  // metrics.
  MetricValues validation;  ///< where it was evaluated
  double loss = 0.0;
  double gradient_norm = 0.0;
  double learning_rate = 0.0;
  double predictions_per_second = 0.0;

  void ForgetBest() {
    best_step = 0;
    best = std::numeric_limits<double>::infinity();
    evaluations_without_improvement = 0;
  }
};

/// All that a rank trains with. The task's parameters, optimizer (or the ranks' parts of it),
/// schedule, averages and position are the same on every rank; `state` is of this rank's lanes.
/// `evaluation` is the one of the last step, while it is under way.
struct Replica {
  /// A zero state and position. `task`, whose model is allocated, must outlive this. `updated`:
  /// what this rank's optimizer updates of the parameters; by default all.
  Replica(Task& task_, const worker::OptimizerOptions& optimizer_options,
          worker::Schedule schedule_, LaneRange lanes_,
          const worker::AveragingOptions& averaging_options = worker::NoAveraging{},
          std::optional<std::vector<worker::ParameterRange>> updated = std::nullopt)
      : task(task_),
        optimizer(optimizer_options,
                  updated ? std::move(*updated)
                          : std::vector<worker::ParameterRange>{{0, task.parameters().size()}}),
        shards_optimizer(updated.has_value()),
        schedule(std::move(schedule_)),
        averaging(averaging_options, task.parameters().size()),
        lanes(lanes_),
        state(task.ZeroState(lanes_.count())) {}

  worker::Parameters& parameters() { return task.parameters(); }
  const worker::Parameters& parameters() const { return task.parameters(); }

  Task& task;
  worker::Optimizer optimizer;
  bool shards_optimizer;  ///< each rank's has its own part
  worker::Schedule schedule;
  worker::Averaging averaging;
  LaneRange lanes;
  worker::RecurrentState state;
  Position position;
  PartialEvaluation evaluation;
};

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_RUN_REPLICA_H_
