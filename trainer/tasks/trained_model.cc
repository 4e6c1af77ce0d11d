#include "trainer/tasks/trained_model.h"

#include "io/checkpoints/checkpoint.h"
#include "trainer/run/checkpoint_contents.h"
#include "trainer/tasks/model_options.h"

namespace lockstep::trainer {

TrainedModel LoadTrainedModel(const std::filesystem::path& checkpoint) {
  const io::CheckpointReader reader(checkpoint);
  const io::CheckpointHeader& header = reader.header();
  TrainedModel trained;
  trained.config = proto::ParseRunConfig(header.configuration, checkpoint.string());
  trained.dataset_fingerprint = header.dataset_fingerprint;
  trained.vocabulary = header.vocabulary;
  trained.step = header.step;
  trained.model = std::make_unique<worker::LanguageModel>(
      ModelOptions(trained.config, static_cast<int64_t>(trained.vocabulary.size()), 0),
      worker::Pass::kForward);
  LoadParameters(reader, trained.model->parameters());
  return trained;
}

}  // namespace lockstep::trainer
