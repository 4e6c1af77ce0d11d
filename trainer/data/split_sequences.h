#ifndef LOCKSTEP_TRAINER_DATA_SPLIT_SEQUENCES_H_
#define LOCKSTEP_TRAINER_DATA_SPLIT_SEQUENCES_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "io/datasets/sequence_dataset.h"
#include "trainer/data/packed_sequences.h"
#include "trainer/data/sequence_batches.h"

namespace lockstep::trainer {

/// The examples of a split in batches by length. The length of an example is that of its longest
/// sequence.
class SplitSequences {
 public:
  /// About `most` tokens, the same ones every time and spread over the split; 0: all of it. `items`
  /// and `tokens` of a batch as SequenceBatches has them. io's errors.
  SplitSequences(const io::SequenceDataset& dataset, const std::string& split, int64_t items,
                 int64_t tokens, int64_t most = 0);

  const SequenceBatches& batches() const { return batches_; }
  int64_t tokens() const;   ///< of all sequences
  int64_t longest() const;  ///< tokens of the longest one
  /// What padded batches would hold beside tokens, as a share of all their places; of the batches
  /// in order, since shuffling within classes hardly changes it.
  double PaddingShare() const;

  /// What a rank has of a global batch of sequences (SequenceBatches::Shuffled or Ordered), from
  /// the longest to the shortest.
  struct Part {
    std::vector<uint64_t> examples;  ///< in the dataset
    std::vector<int64_t> lanes;      ///< their places in the global batch
  };
  Part PartOfRank(const std::vector<int64_t>& batch, int rank, int ranks) const;

 private:
  struct Examples {
    std::vector<uint64_t> numbers;
    std::vector<uint32_t> lengths;
  };
  static Examples Take(const io::SequenceDataset& dataset, const std::string& split, int64_t most);
  SplitSequences(Examples examples, int64_t items, int64_t tokens);

  Examples examples_;
  SequenceBatches batches_;
};

/// What examples have in the field of this name, of tokens or tags. io's errors.
Sequences ReadSequences(const io::SequenceDataset& dataset, const char* name,
                        std::span<const uint64_t> examples);

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_DATA_SPLIT_SEQUENCES_H_
