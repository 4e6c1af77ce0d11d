#ifndef LOCKSTEP_TRAINER_TASKS_PRETRAINED_H_
#define LOCKSTEP_TRAINER_TASKS_PRETRAINED_H_

#include <string>

#include "io/text/vocabulary.h"
#include "worker/parameters.h"

namespace lockstep::trainer {

/// Overwrites those rows of an embedding [V or more, E] (the parameter `index`) whose tokens have a
/// vector in a file of word2vec or GloVe. Returns a sentence that tells how many. UsageError where
/// the file's vectors are not of E numbers, or none is of the vocabulary; io's errors.
std::string FillEmbedding(const std::string& path, const io::Vocabulary& vocabulary, int index,
                          worker::Parameters& parameters);

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_PRETRAINED_H_
