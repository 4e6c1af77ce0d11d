#include "trainer/tasks/language_model/trained_language_model.h"

#include <fmt/format.h>

#include "io/checkpoints/checkpoint.h"
#include "trainer/exit_status.h"
#include "trainer/run/checkpoint_contents.h"
#include "trainer/tasks/model_options.h"

namespace lockstep::trainer {

TrainedLanguageModel LoadTrainedLanguageModel(const std::filesystem::path& checkpoint,
                                              const DynamicOptions& dynamic) {
  const io::CheckpointReader reader(checkpoint);
  const io::CheckpointHeader& header = reader.header();
  TrainedLanguageModel trained;
  trained.config = proto::ParseRunConfig(header.configuration, checkpoint.string());
  if (dynamic.on()) trained.config = ForDynamicEvaluation(trained.config, dynamic);
  const proto::Task& task = trained.config.task();
  const bool is_language_model =
      task.has_language_model() || task.kind_case() == proto::Task::KIND_NOT_SET;
  if (!is_language_model || !header.vocabulary) {
    throw UsageError(
        fmt::format("{}: is not of a language model. Its model predicts with "
                    "`lockstep {}`.",
                    checkpoint.string(), task.has_forecast() ? "forecast" : "predict"));
  }
  UsePrecision(trained.config.model());
  trained.vocabulary = *header.vocabulary;
  trained.model = std::make_unique<worker::LanguageModel>(
      ModelOptions(trained.config, static_cast<int64_t>(trained.vocabulary.size()), 0),
      dynamic.on() ? worker::Pass::kForwardAndBackward : worker::Pass::kForward);
  LoadParameters(reader, trained.model->parameters());
  if (dynamic.on()) {
    trained.learning = std::make_unique<DynamicEvaluation>(*trained.model, reader, dynamic);
  }
  return trained;
}

}  // namespace lockstep::trainer
