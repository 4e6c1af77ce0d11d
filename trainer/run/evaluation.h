#ifndef LOCKSTEP_TRAINER_RUN_EVALUATION_H_
#define LOCKSTEP_TRAINER_RUN_EVALUATION_H_

#include <cstdint>
#include <functional>
#include <vector>

#include "trainer/ranks/communicator.h"
#include "trainer/tasks/task.h"

namespace lockstep::trainer {

/// How far an evaluation has come; one that was paused goes on from here. `batch` and `sums` are
/// the same on every rank.
struct PartialEvaluation {
  int64_t batch = 0;             ///< batches done; 0: none is under way
  std::vector<double> sums;      ///< over them on all ranks, as the measurement has them
  worker::RecurrentState state;  ///< of this rank's lanes, behind them; empty where batch is 0
};

/// Collective. Measures all batches of `measurement` on all ranks, each lane from `zero_state`
/// (this rank's). Goes on from `partial` and moves it on; at the end partial.sums are the sums over
/// everything, with the same bits wherever and however often it was paused (on the same number of
/// ranks; on another, up to rounding). Every few batches, and at least about every second unless a
/// single batch takes longer, the ranks agree whether `pause` holds on any of them: then false.
/// Each call does at least one batch. `progress` (may be empty) hears the share that is done.
bool Evaluate(Communicator& communicator, Measurement& measurement,
              const worker::RecurrentState& zero_state, PartialEvaluation& partial,
              const std::function<bool()>& pause, const std::function<void(double)>& progress);

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_RUN_EVALUATION_H_
