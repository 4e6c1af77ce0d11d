#include <cmath>
#include <optional>
#include <vector>

#include <fmt/format.h>

#include "trainer/commands/commands.h"
#include "trainer/tasks/language_model/trained_language_model.h"
#include "trainer/terminal/output.h"

namespace lockstep::trainer {
namespace {

// Where no prompt is given, a text starts as after a line feed, or with the commonest token.
std::vector<int32_t> PromptTokens(const io::Vocabulary& vocabulary, const std::string& prompt) {
  const std::vector<uint32_t> ids = vocabulary.Encode(prompt);
  std::vector<int32_t> tokens(ids.begin(), ids.end());
  if (tokens.empty()) tokens.push_back(static_cast<int32_t>(vocabulary.line_end().value_or(0)));
  return tokens;
}

}  // namespace

ExitStatus Sample(const SampleArguments& arguments) {
  if (!std::isfinite(arguments.options.temperature)) {
    throw UsageError(fmt::format("--temperature {}: give a number from 0 up, such as 0.8.",
                                 arguments.options.temperature));
  }
  const TrainedLanguageModel trained = LoadTrainedLanguageModel(arguments.checkpoint);
  const io::Vocabulary& vocabulary = trained.vocabulary;
  worker::SamplingOptions options = arguments.options;
  if (vocabulary.unknown()) options.excluded = static_cast<int32_t>(*vocabulary.unknown());

  const std::vector<int32_t> prompt = PromptTokens(vocabulary, arguments.prompt);
  WriteResult(arguments.prompt);
  std::optional<uint32_t> previous;
  if (!arguments.prompt.empty()) previous = static_cast<uint32_t>(prompt.back());
  worker::RecurrentState state = trained.model->ZeroState(1);
  std::span<const float> logits = trained.model->NextLogits(prompt, state);
  for (int64_t i = 0; i < arguments.length; ++i) {
    const int32_t token = worker::SampleToken(logits, options, static_cast<uint64_t>(i));
    WriteResult(vocabulary.Decode(static_cast<uint32_t>(token), previous));
    previous = static_cast<uint32_t>(token);
    logits = trained.model->NextLogits({&token, 1}, state);
  }
  WriteResult("\n");
  return kDone;
}

}  // namespace lockstep::trainer
