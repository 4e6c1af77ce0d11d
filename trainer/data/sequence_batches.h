#ifndef LOCKSTEP_TRAINER_DATA_SEQUENCE_BATCHES_H_
#define LOCKSTEP_TRAINER_DATA_SEQUENCE_BATCHES_H_

#include <cstdint>
#include <span>
#include <vector>

namespace lockstep::trainer {

/// How separate sequences become batches of about one length. Sequences are put into classes of
/// lengths at most a sixteenth apart; an epoch shuffles every class, cuts the classes, the shortest
/// first, into batches, and takes these in random order. Which batch has which sequences is a pure
/// function of (seed, epoch), so that every rank knows it, at any place, without memory; where the
/// cuts are and how many there are is the same in every epoch.
class SequenceBatches {
 public:
  /// `lengths` of the sequences, each at least 1. A batch has `items` of them; or, with
  /// `tokens` > 0, as many as stay within it when each counts as the longest of its class (at least
  /// one).
  SequenceBatches(std::span<const uint32_t> lengths, int64_t items, int64_t tokens);

  int64_t batches() const { return static_cast<int64_t>(begins_.size()) - 1; }
  int64_t sequences() const { return static_cast<int64_t>(sorted_.size()); }
  int64_t most_items() const { return most_items_; }    ///< of any batch
  int64_t most_tokens() const { return most_tokens_; }  ///< at most, in any batch

  /// Of a batch of an epoch, the indices of its sequences in the order of their lanes: its global
  /// batch. 0 <= batch < batches().
  std::vector<int64_t> Shuffled(uint64_t seed, int64_t epoch, int64_t batch) const;

  /// The same where no order is random: for evaluations.
  std::vector<int64_t> Ordered(int64_t batch) const;

 private:
  /// Where a class begins in sorted_.
  struct Class {
    int64_t begin = 0;
    int64_t end = 0;
  };

  std::vector<uint32_t> sorted_;  // indices of sequences by class
  std::vector<Class> classes_;
  std::vector<int64_t> begins_;  // of batches in sorted_; the last is its end
  int64_t most_items_ = 0, most_tokens_ = 0;
};

/// The lanes of a global batch that a rank takes, so that all ranks have about as many tokens,
/// however long single sequences are: the longest first, each to the rank that has least. From the
/// longest to the shortest, among equals by lane. `lengths` are those of the global batch, in the
/// order of lanes; a pure function of it.
std::vector<int64_t> LanesByLength(std::span<const uint32_t> lengths, int rank, int ranks);

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_DATA_SEQUENCE_BATCHES_H_
