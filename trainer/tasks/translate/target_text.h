#ifndef LOCKSTEP_TRAINER_TASKS_TRANSLATE_TARGET_TEXT_H_
#define LOCKSTEP_TRAINER_TASKS_TRANSLATE_TARGET_TEXT_H_

#include <cstdint>
#include <functional>
#include <span>
#include <string>

#include "io/text/vocabulary.h"

namespace lockstep::trainer {

/// The text of tokens as a reader expects it: Vocabulary::Decode of each. Where `unknown` is given,
/// the unknown token at a place has the text that this says.
std::string TextOf(const io::Vocabulary& vocabulary, std::span<const int32_t> tokens,
                   const std::function<std::string(size_t place)>& unknown = {});

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_TRANSLATE_TARGET_TEXT_H_
