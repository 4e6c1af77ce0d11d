#ifndef LOCKSTEP_TRAINER_EVALUATION_H_
#define LOCKSTEP_TRAINER_EVALUATION_H_

#include <cstdint>
#include <functional>
#include <optional>

#include "io/dataset.h"
#include "trainer/communicator.h"
#include "worker/language_model.h"

namespace lockstep::trainer {

struct EvaluationResult {
  double loss = 0.0;   ///< mean over tokens, in nats
  int64_t tokens = 0;  ///< predictions counted
};

/// Collective. The mean loss of a split over all ranks: every prediction once, each lane from a
/// zero state, without dropout. The result does not depend on the number of ranks, but for
/// rounding. `progress` (may be empty) hears the share that is done. Every few batches the ranks
/// agree whether any has got a stop signal: then nullopt. Requires at least one prediction in the
/// split and no more ranks than lanes.
std::optional<EvaluationResult> Evaluate(Communicator& communicator, worker::LanguageModel& model,
                                         const io::Dataset& dataset, const io::Split& split,
                                         int64_t lanes, int64_t time_steps,
                                         const std::function<void(double)>& progress);

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_EVALUATION_H_
