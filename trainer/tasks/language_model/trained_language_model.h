#ifndef LOCKSTEP_TRAINER_TASKS_LANGUAGE_MODEL_TRAINED_LANGUAGE_MODEL_H_
#define LOCKSTEP_TRAINER_TASKS_LANGUAGE_MODEL_TRAINED_LANGUAGE_MODEL_H_

#include <filesystem>
#include <memory>
#include <string>

#include "io/text/vocabulary.h"
#include "proto/run_config.h"
#include "trainer/tasks/language_model/dynamic_evaluation.h"
#include "worker/models/language_model.h"

namespace lockstep::trainer {

/// What sampling and scoring need of a checkpoint.
struct TrainedLanguageModel {
  proto::RunConfig config;
  io::Vocabulary vocabulary;
  std::unique_ptr<worker::LanguageModel> model;  ///< without a gradient, unless it learns on
  std::unique_ptr<DynamicEvaluation> learning;   ///< of that model, where it does
};

/// Reads and verifies a checkpoint. Not collective. io's and proto's errors.
TrainedLanguageModel LoadTrainedLanguageModel(const std::filesystem::path& checkpoint,
                                              const DynamicOptions& dynamic = {});

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_LANGUAGE_MODEL_TRAINED_LANGUAGE_MODEL_H_
