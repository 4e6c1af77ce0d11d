#include "trainer/trained_model.h"

#include <utility>

#include "io/checkpoint.h"
#include "trainer/checkpoint_contents.h"
#include "trainer/model_options.h"

namespace lockstep::trainer {

TrainedModel LoadTrainedModel(const std::filesystem::path& checkpoint) {
  io::Checkpoint contents = io::ReadCheckpoint(checkpoint);
  TrainedModel trained;
  trained.config = proto::ParseRunConfig(contents.header.configuration, checkpoint.string());
  trained.dataset_fingerprint = contents.header.dataset_fingerprint;
  trained.vocabulary = std::move(contents.header.vocabulary);
  trained.step = contents.header.step;
  trained.model = std::make_unique<worker::LanguageModel>(
      ModelOptions(trained.config, static_cast<int64_t>(trained.vocabulary.size()), 0));
  LoadParameters(contents, checkpoint.string(), trained.model->parameters());
  return trained;
}

}  // namespace lockstep::trainer
