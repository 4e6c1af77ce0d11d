#ifndef LOCKSTEP_TRAINER_TASKS_SEQUENCE_TASK_H_
#define LOCKSTEP_TRAINER_TASKS_SEQUENCE_TASK_H_

#include <cstdint>
#include <string>
#include <vector>

#include "trainer/data/split_sequences.h"
#include "trainer/tasks/task.h"
#include "worker/layers/dropout.h"

namespace lockstep::trainer {

// What tasks on separate sequences have in common.

/// The sequences of a split in batches as the configuration has them; `most` as SplitSequences has
/// it.
SplitSequences SequencesOf(const io::SequenceDataset& dataset, const proto::Data& data,
                           const std::string& split, int64_t most = 0);

/// UsageError where the split to train on is empty.
void RequireSequences(const io::SequenceDataset& dataset, const std::string& split);

/// UsageError unless `same`: what the dataset's numbers mean ("tokens") is not what they did to the
/// model of the checkpoint `origin`.
void RequireSameMeaning(bool same, const io::SequenceDataset& dataset, const std::string& what,
                        const std::string& origin);

/// For a person: how many sequences and batches, and the share of padding that an epoch's batches
/// would have if they were padded.
std::string DescribeSequences(const SplitSequences& sequences);

/// About the most that a rank has of a batch: items, and the length at which so many of equal
/// length have as many tokens.
struct PartSize {
  int64_t items = 0;
  int64_t length = 0;
};
PartSize LargestPart(const SplitSequences& sequences, int ranks);

/// Where the masks of a batch belong: an item's lane is its place in the global batch. `lanes` must
/// outlive the pass.
worker::DropoutSite SiteOf(const BatchPlace& place, const std::vector<int64_t>& lanes);

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_SEQUENCE_TASK_H_
