#ifndef LOCKSTEP_WORKER_LAYERS_PACKED_STEPS_H_
#define LOCKSTEP_WORKER_LAYERS_PACKED_STEPS_H_

#include <cstdint>
#include <span>
#include <vector>

namespace lockstep::worker {

/// Which rows a pass over B sequences ("items") has, where they may be of unequal length. Items
/// stand from the longest to the shortest; time step t has the rows of those items that reach it,
/// one behind another, then come the rows of time step t + 1: PyTorch's PackedSequence. No row is
/// padding, so whatever goes over all R rows (embedding, products, losses) needs no mask. Where all
/// lengths are T this is a plain [T, B].
class PackedSteps {
 public:
  PackedSteps() = default;

  /// All items have `time_steps` rows.
  static PackedSteps Uniform(int64_t time_steps, int64_t items);
  /// `lengths` [B] never rise and are at least 1. std::invalid_argument.
  static PackedSteps OfLengths(std::span<const int64_t> lengths);

  int64_t time_steps() const { return time_steps_; }  ///< T, of the longest item
  int64_t items() const { return items_; }            ///< B
  int64_t rows() const { return rows_; }              ///< R, over all time steps
  bool is_uniform() const { return first_.empty(); }

  /// How many items reach time step t: they are the items 0, 1, ... Never rises with t. 0 <= t < T.
  int64_t items_at(int64_t t) const { return first_row(t + 1) - first_row(t); }
  /// The row of item 0 at time step t; R for t = T.
  int64_t first_row(int64_t t) const { return first_.empty() ? t * items_ : first_[t]; }
  int64_t length(int64_t item) const { return lengths_.empty() ? time_steps_ : lengths_[item]; }
  /// The time step of a row; 0 <= row < R.
  int64_t time_step_of(int64_t row) const;
  int64_t last_row(int64_t item) const { return first_row(length(item) - 1) + item; }

 private:
  int64_t time_steps_ = 0, items_ = 0, rows_ = 0;
  std::vector<int64_t> lengths_;  // [B]; empty: uniform
  std::vector<int64_t> first_;    // [T + 1] likewise
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_LAYERS_PACKED_STEPS_H_
