#include "trainer/tasks/language_model/text_sampler.h"

#include <optional>
#include <span>
#include <vector>

namespace lockstep::trainer {

int32_t FirstToken(const io::Vocabulary& vocabulary) {
  return static_cast<int32_t>(vocabulary.line_end().value_or(0));
}

void SampleTexts(worker::LanguageModel& model, const io::Vocabulary& vocabulary,
                 const TextsToSample& texts,
                 const std::function<void(int64_t place, const std::string& token)>& write) {
  worker::SamplingOptions options = texts.options;
  if (vocabulary.unknown()) options.excluded = static_cast<int32_t>(*vocabulary.unknown());
  const std::vector<uint32_t> ids = vocabulary.Encode(texts.prompt);
  std::vector<int32_t> prompt(ids.begin(), ids.end());
  if (prompt.empty()) prompt.push_back(FirstToken(vocabulary));
  std::vector<std::optional<uint32_t>> previous(texts.count);
  if (!ids.empty()) previous.assign(texts.count, ids.back());

  // All texts read the prompt as one.
  worker::RecurrentState state = model.ZeroState(1);
  model.BeginNextLogits();
  std::span<const float> of_prompt;
  for (const int32_t token : prompt) of_prompt = model.NextLogits({&token, 1}, state);
  state = SelectLanes(state, std::vector<int64_t>(texts.count, 0));
  const std::vector<float> repeated = worker::SelectRows({of_prompt.begin(), of_prompt.end()}, 1, 1,
                                                         std::vector<int64_t>(texts.count, 0));

  std::span<const float> logits = repeated;
  for (int64_t i = 0; i < texts.length; ++i) {
    const std::vector<int32_t> tokens =
        worker::SampleTokens(texts.count, logits, options, static_cast<uint64_t>(i));
    for (int64_t place = 0; place < texts.count; ++place) {
      const auto token = static_cast<uint32_t>(tokens[place]);
      write(place, vocabulary.Decode(token, previous[place]));
      previous[place] = token;
    }
    if (i + 1 < texts.length) logits = model.NextLogits(tokens, state);
  }
}

}  // namespace lockstep::trainer
