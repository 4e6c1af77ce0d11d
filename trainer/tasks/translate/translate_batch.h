#ifndef LOCKSTEP_TRAINER_TASKS_TRANSLATE_TRANSLATE_BATCH_H_
#define LOCKSTEP_TRAINER_TASKS_TRANSLATE_TRANSLATE_BATCH_H_

#include <cstdint>
#include <span>
#include <vector>

#include "io/datasets/sequence_dataset.h"
#include "trainer/data/packed_sequences.h"
#include "trainer/tasks/translate/target_search.h"
#include "trainer/tasks/translate/translate_facts.h"
#include "worker/models/encoder_decoder.h"

namespace lockstep::trainer {

/// A batch of sources and their targets that is read from a dataset.
class TranslateBatch {
 public:
  /// Reads `examples` of the dataset, in any order. io's errors.
  void Read(const io::SequenceDataset& dataset, const TranslateFacts& facts,
            std::span<const uint64_t> examples);

  bool empty() const { return targets_.empty(); }
  /// In the order of the examples.
  const TargetSources& sources() const { return sources_; }
  const Sequences& targets() const { return targets_; }

  /// For each item of view().target the example that was read for it, as an index.
  const std::vector<int64_t>& order() const { return order_; }
  /// Predictions: tokens of targets and their ends.
  double weight() const { return static_cast<double>(target_steps_.rows()); }
  /// Borrows from this until the next Read. Not of an empty batch.
  worker::PairBatch view() const;

 private:
  void LayOutSources(const TranslateFacts& facts);
  void LayOutTargets(int32_t end);

  TargetSources sources_;
  Sequences targets_;
  std::vector<int64_t> order_;
  worker::PackedSteps source_steps_, target_steps_;
  std::vector<int32_t> source_tokens_, inputs_, outputs_;
  std::vector<float> vectors_;
  std::vector<int64_t> source_of_;
};

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_TRANSLATE_TRANSLATE_BATCH_H_
