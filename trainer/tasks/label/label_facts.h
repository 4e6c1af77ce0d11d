#ifndef LOCKSTEP_TRAINER_TASKS_LABEL_LABEL_FACTS_H_
#define LOCKSTEP_TRAINER_TASKS_LABEL_LABEL_FACTS_H_

#include <string>
#include <vector>

#include "io/checkpoints/checkpoint.h"
#include "io/datasets/sequence_dataset.h"
#include "io/text/vocabulary.h"
#include "proto/run_config.h"
#include "worker/models/sequence_labeler.h"

namespace lockstep::trainer {

/// What the numbers of a classifier or a tagger mean.
struct LabelFacts {
  io::Vocabulary vocabulary;
  std::vector<std::string> labels;   ///< classes of a text; empty: it does not tell them
  std::vector<std::string> tags;     ///< classes of a token; likewise
  std::vector<float> label_weights;  ///< what each label counts in the loss; empty: 1
};

/// Of a dataset, for the configuration's task. UsageError where it lacks what the task learns, or
/// where task.classify.label_weights cannot be understood.
LabelFacts FactsOf(const io::SequenceDataset& dataset, const proto::RunConfig& config);

/// The same as a checkpoint keeps them, and back. UsageError where it has none; `origin` names it.
void StoreFacts(const LabelFacts& facts, io::CheckpointHeader& header);
LabelFacts LoadFacts(const io::CheckpointHeader& header, const std::string& origin);

/// The model for them.
worker::SequenceLabelerOptions LabelerOptions(const proto::RunConfig& config,
                                              const LabelFacts& facts);

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_LABEL_LABEL_FACTS_H_
