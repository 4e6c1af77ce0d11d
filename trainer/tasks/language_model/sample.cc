#include <algorithm>
#include <cmath>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "trainer/commands/commands.h"
#include "trainer/tasks/language_model/text_sampler.h"
#include "trainer/tasks/language_model/trained_language_model.h"
#include "trainer/terminal/output.h"

namespace lockstep::trainer {
namespace {

constexpr int64_t kTextsAtATime = 64;

// As it is written, token by token.
void WriteOneText(const TrainedLanguageModel& trained, const TextsToSample& text) {
  bool begun = false;  // an error in the prompt comes before anything is written
  const auto begin = [&] {
    if (!begun) WriteResult(text.prompt);
    begun = true;
  };
  SampleTexts(*trained.model, trained.vocabulary, text, [&](int64_t, const std::string& token) {
    begin();
    WriteResult(token);
  });
  begin();
  WriteResult("\n");
}

}  // namespace

ExitStatus Sample(const SampleArguments& arguments) {
  if (!std::isfinite(arguments.options.temperature)) {
    throw UsageError(fmt::format("--temperature {}: give a number from 0 up, such as 0.8.",
                                 arguments.options.temperature));
  }
  const TrainedLanguageModel trained = LoadTrainedLanguageModel(arguments.checkpoint);
  TextsToSample texts = {arguments.prompt, arguments.length, 1, arguments.options};
  if (arguments.count == 1 && !arguments.json) {
    WriteOneText(trained, texts);
    return kDone;
  }
  for (int64_t first = 0; first < arguments.count; first += kTextsAtATime) {
    texts.count = std::min(kTextsAtATime, arguments.count - first);
    texts.options.text = static_cast<uint32_t>(first);
    std::vector<std::string> written(texts.count);
    SampleTexts(*trained.model, trained.vocabulary, texts,
                [&](int64_t place, const std::string& token) { written[place] += token; });
    for (int64_t place = 0; place < texts.count; ++place) {
      const int64_t number = first + place + 1;
      if (arguments.json) {
        WriteJson({{"number", number}, {"prompt", arguments.prompt}, {"text", written[place]}});
      } else {
        WriteResult(fmt::format("======== {} of {} ========\n{}{}\n", number, arguments.count,
                                arguments.prompt, written[place]));
      }
    }
  }
  return kDone;
}

}  // namespace lockstep::trainer
