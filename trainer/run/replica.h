#ifndef LOCKSTEP_TRAINER_RUN_REPLICA_H_
#define LOCKSTEP_TRAINER_RUN_REPLICA_H_

#include <cstdint>
#include <limits>
#include <utility>

#include "trainer/data/lanes.h"
#include "trainer/run/evaluation.h"
#include "worker/models/language_model.h"
#include "worker/optimizers/optimizer.h"
#include "worker/optimizers/schedule.h"

namespace lockstep::trainer {

/// Where a training stands, and what it remembers beside its arrays. The same on every rank.
/// Trivially copyable: rank 0 broadcasts it.
struct Position {
  int64_t step = 0;           ///< updates done
  int64_t epoch = 0;          ///< epochs done
  int64_t batch = 0;          ///< batches of the current epoch done
  int64_t total_batches = 0;  ///< batches done since the start; names the dropout masks
  int64_t tokens = 0;         ///< predictions trained on since the start

  int64_t evaluated_step = 0;  ///< the last step that was evaluated
  int64_t best_step = 0;
  double best_loss = std::numeric_limits<double>::infinity();  ///< validation, nats a token
  int64_t evaluations_without_improvement = 0;

  double first_loss = 0.0;  ///< of step 1; 0 where a file does not tell
  int64_t bad_steps = 0;    ///< the last so many steps had a loss as of a diverged training

  // Of the last step, so that an evaluation that was put off by a stop still finds its line of
  // metrics.
  double validation_loss = std::numeric_limits<double>::quiet_NaN();  ///< where it was evaluated
  double loss = 0.0;
  double gradient_norm = 0.0;
  double learning_rate = 0.0;
  double tokens_per_second = 0.0;
};

/// All that a rank trains with. Model, optimizer, schedule and position are the same on every rank;
/// `state` is of this rank's lanes. `evaluation` is the one of the last step, while it is under
/// way.
struct Replica {
  /// A zero state and position; the parameters are all zero, too.
  Replica(const worker::LanguageModelOptions& model_options,
          const worker::OptimizerOptions& optimizer_options, worker::Schedule schedule_,
          LaneRange lanes_)
      : model(model_options),
        optimizer(optimizer_options, model.parameters().size()),
        schedule(std::move(schedule_)),
        lanes(lanes_),
        state(model.ZeroState(lanes_.count())) {}

  worker::LanguageModel model;
  worker::Optimizer optimizer;
  worker::Schedule schedule;
  LaneRange lanes;
  worker::RecurrentState state;
  Position position;
  PartialEvaluation evaluation;
};

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_RUN_REPLICA_H_
