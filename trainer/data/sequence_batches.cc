#include "trainer/data/sequence_batches.h"

#include <algorithm>
#include <bit>
#include <numeric>

#include "trainer/data/items.h"
#include "trainer/data/packed_sequences.h"

namespace lockstep::trainer {
namespace {

// The longest sequence of the class that `length` belongs to: exact up to 32, then sixteen classes
// an octave.
int64_t ClassBound(uint32_t length) {
  constexpr uint32_t kExact = 32;
  if (length <= kExact) return length;
  const int64_t step = std::bit_floor(length - 1) / 16;
  return (length + step - 1) / step * step;
}

}  // namespace

SequenceBatches::SequenceBatches(std::span<const uint32_t> lengths, int64_t items, int64_t tokens)
    : sorted_(lengths.size()), begins_({0}) {
  std::iota(sorted_.begin(), sorted_.end(), 0u);
  const auto bound = [&](uint32_t sequence) { return ClassBound(lengths[sequence]); };
  std::ranges::stable_sort(sorted_, {}, bound);
  const auto size = sequences();
  int64_t tokens_now = 0;
  for (int64_t i = 0; i < size; ++i) {
    const int64_t longest = bound(sorted_[i]);
    if (classes_.empty() || bound(sorted_[classes_.back().begin]) != longest) {
      classes_.push_back({i, i});
    }
    classes_.back().end = i + 1;
    const int64_t items_now = i - begins_.back();
    const bool full =
        tokens > 0 ? items_now > 0 && (items_now + 1) * longest > tokens : items_now == items;
    if (full) {
      begins_.push_back(i);
      tokens_now = 0;
    }
    tokens_now += longest;
    most_items_ = std::max(most_items_, i + 1 - begins_.back());
    most_tokens_ = std::max(most_tokens_, tokens_now);
  }
  if (size > 0) begins_.push_back(size);
}

std::vector<int64_t> SequenceBatches::Shuffled(uint64_t seed, int64_t epoch, int64_t batch) const {
  const int64_t at = ItemOrder(batches(), seed, epoch).At(batch);
  std::vector<int64_t> sequences;
  sequences.reserve(begins_[at + 1] - begins_[at]);
  auto in = std::ranges::upper_bound(classes_, begins_[at], {}, &Class::end);
  for (int64_t i = begins_[at]; i < begins_[at + 1]; ++in) {
    const ItemOrder order(in->end - in->begin, seed, epoch);
    for (const int64_t end = std::min(in->end, begins_[at + 1]); i < end; ++i) {
      sequences.push_back(sorted_[in->begin + order.At(i - in->begin)]);
    }
  }
  return sequences;
}

std::vector<int64_t> SequenceBatches::Ordered(int64_t batch) const {
  return {sorted_.begin() + begins_[batch], sorted_.begin() + begins_[batch + 1]};
}

std::vector<int64_t> LanesByLength(std::span<const uint32_t> lengths, int rank, int ranks) {
  std::vector<int64_t> tokens(ranks), mine;
  for (const int64_t lane : LongestFirst(lengths)) {
    const auto least = std::ranges::min_element(tokens);
    *least += lengths[lane];
    if (least - tokens.begin() == rank) mine.push_back(lane);
  }
  return mine;
}

}  // namespace lockstep::trainer
