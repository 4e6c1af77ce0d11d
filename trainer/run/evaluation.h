#ifndef LOCKSTEP_TRAINER_RUN_EVALUATION_H_
#define LOCKSTEP_TRAINER_RUN_EVALUATION_H_

#include <cstdint>
#include <functional>
#include <optional>

#include "trainer/data/lanes.h"
#include "trainer/ranks/communicator.h"
#include "worker/models/language_model.h"

namespace lockstep::trainer {

struct EvaluationResult {
  double loss = 0.0;   ///< mean over tokens, in nats
  int64_t tokens = 0;  ///< predictions counted
};

/// How far an evaluation has come; one that was paused goes on from here. `batch` and `loss` are
/// the same on every rank.
struct PartialEvaluation {
  int64_t batch = 0;             ///< batches done; 0: none is under way
  double loss = 0.0;             ///< sum over their predictions on all ranks, in nats
  worker::RecurrentState state;  ///< of this rank's lanes, behind them; empty where batch is 0
};

/// Collective. The mean loss over all that `reader` and those of the other ranks read: every
/// prediction once, each lane from a zero state, without dropout. Goes on from `partial` and moves
/// it on; the result has the same bits wherever and however often it was paused (on the same number
/// of ranks; on another, up to rounding). Every few batches, and at least about every second unless
/// a single batch takes longer, the ranks agree whether `pause` holds on any of them: then nullopt.
/// Each call does at least one batch. `progress` (may be empty) hears the share that is done.
/// Requires at least one prediction and no more ranks than lanes.
std::optional<EvaluationResult> Evaluate(Communicator& communicator, worker::LanguageModel& model,
                                         Lanes& reader, PartialEvaluation& partial,
                                         const std::function<bool()>& pause,
                                         const std::function<void(double)>& progress);

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_RUN_EVALUATION_H_
