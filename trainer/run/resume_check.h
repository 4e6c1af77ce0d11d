#ifndef LOCKSTEP_TRAINER_RUN_RESUME_CHECK_H_
#define LOCKSTEP_TRAINER_RUN_RESUME_CHECK_H_

#include <string>

#include "proto/run_config.h"

namespace lockstep::trainer {

/// Throws UsageError where `now` cannot go on from a checkpoint that was trained with `then`:
/// another model, another layout of the data over lanes, another seed or another optimizer.
/// Everything else (learning rate, length, dropout, intervals, ...) may change. `checkpoint` names
/// the file in the message.
void CheckSameTraining(const proto::RunConfig& then, const proto::RunConfig& now,
                       const std::string& checkpoint);

/// Whether an evaluation that was begun under one configuration can go on under the other: it reads
/// the same tokens of the same dataset (lanes and time steps are the same in any case).
bool SameEvaluation(const proto::RunConfig& then, const proto::RunConfig& now);

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_RUN_RESUME_CHECK_H_
