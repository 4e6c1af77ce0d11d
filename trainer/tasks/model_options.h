#ifndef LOCKSTEP_TRAINER_TASKS_MODEL_OPTIONS_H_
#define LOCKSTEP_TRAINER_TASKS_MODEL_OPTIONS_H_

#include <cstdint>

#include "proto/run_config.h"
#include "worker/layers/stack.h"
#include "worker/models/initialization.h"
#include "worker/models/language_model.h"
#include "worker/optimizers/averaging.h"
#include "worker/optimizers/optimizer.h"
#include "worker/optimizers/schedule.h"

namespace lockstep::trainer {

// The run configuration in the worker's terms: proto/ and worker/ do not know each other.

worker::Cell CellOf(proto::Cell cell);
/// All later products of this process are of model.precision: whoever opens a configuration's model
/// calls it.
void UsePrecision(const proto::Model& model);
/// But for what a task decides: its input_size and how the last layer is read.
worker::StackOptions StackOptionsOf(const proto::Model& model);
/// `ranks`: of the job; 0 for a model that is used outside of a training.
worker::LanguageModelOptions ModelOptions(const proto::RunConfig& config, int64_t vocabulary_size,
                                          int ranks);
worker::InitializationOptions InitializationOptions(const proto::RunConfig& config);
worker::OptimizerOptions OptimizerOptions(const proto::Optimizer& config);
worker::AveragingOptions AveragingOptions(const proto::Averaging& config);
worker::Schedule MakeSchedule(const proto::Optimizer& config, int64_t total_steps);

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_MODEL_OPTIONS_H_
