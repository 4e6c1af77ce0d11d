#ifndef LOCKSTEP_TRAINER_TASKS_TRANSLATE_TARGET_SEARCH_H_
#define LOCKSTEP_TRAINER_TASKS_TRANSLATE_TARGET_SEARCH_H_

#include <cstdint>
#include <span>
#include <vector>

#include "trainer/data/packed_sequences.h"
#include "worker/models/encoder_decoder.h"

namespace lockstep::trainer {

/// What targets are looked for, in any order: texts or, where a model takes vectors, these as the
/// model sees them.
struct TargetSources {
  Sequences texts;                          ///< none of them empty
  std::vector<std::vector<float>> vectors;  ///< [source_vector_size] each
  /// Of each what is drawn depends on; empty: nothing is drawn.
  std::vector<int64_t> numbers;

  size_t size() const { return texts.empty() ? vectors.size() : texts.size(); }
};

/// Of each source, in their order, at most options.nbest hypotheses, the best first; found for as
/// many sources at a time as take some ten megabytes.
std::vector<std::vector<worker::Hypothesis>> FindTargets(worker::EncoderDecoder& model,
                                                         const TargetSources& sources,
                                                         const worker::SearchOptions& options);

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_TRANSLATE_TARGET_SEARCH_H_
