#ifndef LOCKSTEP_TRAINER_TASKS_LANGUAGE_MODEL_TEXT_SAMPLER_H_
#define LOCKSTEP_TRAINER_TASKS_LANGUAGE_MODEL_TEXT_SAMPLER_H_

#include <cstdint>
#include <functional>
#include <string>

#include "io/text/vocabulary.h"
#include "worker/models/language_model.h"
#include "worker/models/sampling.h"

namespace lockstep::trainer {

/// What a model reads before a text that follows nothing: the line feed, or, where there is none,
/// the commonest token.
int32_t FirstToken(const io::Vocabulary& vocabulary);

/// Texts that a model writes in one batch, each behind the same prompt.
struct TextsToSample {
  std::string prompt = {};
  int64_t length = 0;  ///< tokens of each text
  int64_t count = 1;
  worker::SamplingOptions options = {};  ///< its `text` is the number of the first one
};

/// Lets a model write them, and gives every token's text to `write`, with the place of its text
/// among the `count`. A text depends on its number, not on those beside it. The unknown token is
/// never drawn. InputError where the prompt has a token that the model does not know.
void SampleTexts(worker::LanguageModel& model, const io::Vocabulary& vocabulary,
                 const TextsToSample& texts,
                 const std::function<void(int64_t place, const std::string& token)>& write);

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_LANGUAGE_MODEL_TEXT_SAMPLER_H_
