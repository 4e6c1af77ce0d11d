#ifndef LOCKSTEP_TRAINER_TASKS_TRAINED_MODEL_H_
#define LOCKSTEP_TRAINER_TASKS_TRAINED_MODEL_H_

#include <filesystem>
#include <memory>
#include <string>

#include "io/text/vocabulary.h"
#include "proto/run_config.h"
#include "worker/models/language_model.h"

namespace lockstep::trainer {

/// What evaluation and sampling need of a checkpoint.
struct TrainedModel {
  proto::RunConfig config;
  std::string dataset_fingerprint;
  io::Vocabulary vocabulary;
  std::unique_ptr<worker::LanguageModel> model;  ///< without a gradient
  int64_t step = 0;
};

/// Reads and verifies a checkpoint. Not collective. io's and proto's errors.
TrainedModel LoadTrainedModel(const std::filesystem::path& checkpoint);

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_TRAINED_MODEL_H_
