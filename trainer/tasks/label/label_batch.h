#ifndef LOCKSTEP_TRAINER_TASKS_LABEL_LABEL_BATCH_H_
#define LOCKSTEP_TRAINER_TASKS_LABEL_LABEL_BATCH_H_

#include <cstdint>
#include <span>
#include <vector>

#include "io/datasets/sequence_dataset.h"
#include "trainer/tasks/label/label_facts.h"
#include "worker/models/sequence_labeler.h"

namespace lockstep::trainer {

/// A batch of labelled texts that is read from a dataset.
class LabelBatch {
 public:
  /// Reads `examples` of the dataset, which must be from the longest to the shortest, with what the
  /// facts have names for. io's errors.
  void Read(const io::SequenceDataset& dataset, const LabelFacts& facts,
            std::span<const uint64_t> examples);

  bool empty() const { return steps_.items() == 0; }
  const worker::PackedSteps& steps() const { return steps_; }
  std::vector<int32_t>& tokens() { return tokens_; }  ///< [R]
  /// Empty where they were not read.
  const std::vector<int32_t>& labels() const { return labels_; }  ///< [B]
  const std::vector<int32_t>& tags() const { return tags_; }      ///< [R]

  /// What a mean of the loss divides by: worker::LabelSum.
  double Weight(const LabelFacts& facts) const;

  /// Borrows from this until the next Read.
  worker::LabelBatch view() const;

 private:
  worker::PackedSteps steps_;
  std::vector<int32_t> tokens_, labels_, tags_;
};

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_LABEL_LABEL_BATCH_H_
