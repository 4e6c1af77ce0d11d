#include "trainer/tasks/language_model/trained_language_model.h"

#include <fmt/format.h>

#include "io/checkpoints/checkpoint.h"
#include "trainer/exit_status.h"
#include "trainer/run/checkpoint_contents.h"
#include "trainer/tasks/model_options.h"

namespace lockstep::trainer {

TrainedLanguageModel LoadTrainedLanguageModel(const std::filesystem::path& checkpoint) {
  const io::CheckpointReader reader(checkpoint);
  const io::CheckpointHeader& header = reader.header();
  TrainedLanguageModel trained;
  trained.config = proto::ParseRunConfig(header.configuration, checkpoint.string());
  if (!header.vocabulary) {
    throw UsageError(
        fmt::format("{}: is not of a language model: it holds no vocabulary. A forecaster "
                    "predicts with `lockstep forecast`.",
                    checkpoint.string()));
  }
  trained.vocabulary = *header.vocabulary;
  trained.model = std::make_unique<worker::LanguageModel>(
      ModelOptions(trained.config, static_cast<int64_t>(trained.vocabulary.size()), 0),
      worker::Pass::kForward);
  LoadParameters(reader, trained.model->parameters());
  return trained;
}

}  // namespace lockstep::trainer
