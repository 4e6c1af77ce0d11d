#include <cmath>

#include <fmt/format.h>

#include "trainer/commands/commands.h"
#include "trainer/tasks/language_model/text_sampler.h"
#include "trainer/tasks/language_model/trained_language_model.h"
#include "trainer/terminal/output.h"

namespace lockstep::trainer {

ExitStatus Sample(const SampleArguments& arguments) {
  if (!std::isfinite(arguments.options.temperature)) {
    throw UsageError(fmt::format("--temperature {}: give a number from 0 up, such as 0.8.",
                                 arguments.options.temperature));
  }
  const TrainedLanguageModel trained = LoadTrainedLanguageModel(arguments.checkpoint);
  bool begun = false;  // an error in the prompt comes before anything is written
  const auto begin = [&] {
    if (!begun) WriteResult(arguments.prompt);
    begun = true;
  };
  SampleText(*trained.model, trained.vocabulary, arguments.prompt, arguments.options,
             arguments.length, [&](const std::string& text) {
               begin();
               WriteResult(text);
             });
  begin();
  WriteResult("\n");
  return kDone;
}

}  // namespace lockstep::trainer
