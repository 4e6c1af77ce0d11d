#ifndef LOCKSTEP_TRAINER_TASKS_START_FROM_H_
#define LOCKSTEP_TRAINER_TASKS_START_FROM_H_

#include <cstdint>
#include <string>
#include <vector>

#include "io/checkpoints/checkpoint.h"
#include "worker/parameters.h"

namespace lockstep::trainer {

// How a new training begins with the weights of a finished model: `lockstep train --start-from`.

/// A parameter one of whose axes (0 or 1) runs over the tokens of the vocabulary.
struct TokenAxis {
  std::string name;
  int axis = 0;
};

/// Which tokens two vocabularies share: places[id] is the id, in the other one, of the token that
/// this one calls `id`; -1 where the other one has none. The line ends are one token,
/// whatever their texts are.
std::vector<int64_t> PlacesOfTokens(const io::Vocabulary& here, const io::Vocabulary& there);

/// Overwrites parameters with those that the checkpoint's model predicts with. Along a token axis,
/// what belongs to a token that the checkpoint has is copied from its place there, and what belongs
/// to another one stays as it is. UsageError, with nothing changed, that names the first parameter
/// that one of the two does not have, or whose shape differs (along a token axis: from the size of
/// the vocabulary there, `tokens_there`).
void CopyParameters(const io::CheckpointReader& checkpoint, const std::vector<TokenAxis>& of_tokens,
                    const std::vector<int64_t>& places, int64_t tokens_there,
                    worker::Parameters& parameters);

/// The same of a model of the same vocabularies: UsageError where `here`, what the task stores, has
/// others than the checkpoint.
void CopyParametersOfSameVocabulary(const io::CheckpointReader& checkpoint,
                                    const io::CheckpointHeader& here,
                                    worker::Parameters& parameters);

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_START_FROM_H_
