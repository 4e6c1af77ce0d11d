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

/// Lets a model go on from `prompt` by `length` tokens, and gives the text of each to `write`. The
/// unknown token is never drawn. InputError where the prompt has a token that the model does not
/// know.
void SampleText(worker::LanguageModel& model, const io::Vocabulary& vocabulary,
                const std::string& prompt, worker::SamplingOptions options, int64_t length,
                const std::function<void(const std::string&)>& write);

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_LANGUAGE_MODEL_TEXT_SAMPLER_H_
