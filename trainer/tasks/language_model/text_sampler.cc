#include "trainer/tasks/language_model/text_sampler.h"

#include <optional>
#include <span>
#include <vector>

namespace lockstep::trainer {

int32_t FirstToken(const io::Vocabulary& vocabulary) {
  return static_cast<int32_t>(vocabulary.line_end().value_or(0));
}

void SampleText(worker::LanguageModel& model, const io::Vocabulary& vocabulary,
                const std::string& prompt, worker::SamplingOptions options, int64_t length,
                const std::function<void(const std::string&)>& write) {
  if (vocabulary.unknown()) options.excluded = static_cast<int32_t>(*vocabulary.unknown());
  const std::vector<uint32_t> ids = vocabulary.Encode(prompt);
  std::vector<int32_t> tokens(ids.begin(), ids.end());
  if (tokens.empty()) tokens.push_back(FirstToken(vocabulary));
  std::optional<uint32_t> previous;
  if (!prompt.empty()) previous = static_cast<uint32_t>(tokens.back());
  worker::RecurrentState state = model.ZeroState(1);
  model.BeginNextLogits();
  std::span<const float> logits = model.NextLogits(tokens, state);
  for (int64_t i = 0; i < length; ++i) {
    const int32_t token = worker::SampleToken(logits, options, static_cast<uint64_t>(i));
    write(vocabulary.Decode(static_cast<uint32_t>(token), previous));
    previous = static_cast<uint32_t>(token);
    logits = model.NextLogits({&token, 1}, state);
  }
}

}  // namespace lockstep::trainer
