#ifndef LOCKSTEP_IO_DATASETS_SEQUENCE_LENGTHS_H_
#define LOCKSTEP_IO_DATASETS_SEQUENCE_LENGTHS_H_

#include <cstdint>
#include <vector>

namespace lockstep::io {

/// Where each of many sequences begins that lie one behind the other: from their lengths, in little
/// more than the room that these take.
class SequenceLengths {
 public:
  SequenceLengths() = default;
  explicit SequenceLengths(std::vector<uint32_t> lengths);

  uint64_t size() const { return lengths_.size(); }
  /// Requires sequence < size().
  uint32_t operator[](uint64_t sequence) const { return lengths_[sequence]; }
  uint64_t Begin(uint64_t sequence) const;
  uint64_t total() const { return total_; }

 private:
  std::vector<uint32_t> lengths_;
  std::vector<uint64_t> begins_;  // of every kStride-th sequence
  uint64_t total_ = 0;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_DATASETS_SEQUENCE_LENGTHS_H_
