#ifndef LOCKSTEP_TRAINER_DATA_LANES_H_
#define LOCKSTEP_TRAINER_DATA_LANES_H_

#include <cstdint>
#include <vector>

#include "io/datasets/dataset.h"
#include "trainer/data/lane_range.h"
#include "worker/models/language_model.h"

namespace lockstep::trainer {

/// In a batch's targets: nothing to predict here.
inline constexpr int32_t kNoTarget = -1;

/// How a split of a token stream is laid out over lanes. A split of n + 1 tokens holds n
/// predictions (each token but the first); lane i of `lanes` owns the predictions floor(i * n /
/// lanes) up to floor((i + 1) * n / lanes), and a batch takes T of each. Nothing is left out: the
/// last batch of an epoch is as short as it must be, and in its last time step lanes that have run
/// out have no target. A pure function of the split, so every rank knows the number of batches.
///
/// With a bound, each lane reads only the first max(1, most_predictions / lanes) of its own
/// predictions, so that what is read is spread over the whole split.
class LaneLayout {
 public:
  /// most_predictions 0: no bound.
  LaneLayout(const io::Split& split, int64_t lanes, int64_t time_steps,
             int64_t most_predictions = 0);

  /// The same split whose batches have so many time steps: together what the longest lane has.
  LaneLayout Varied(const std::vector<int64_t>& time_steps) const;
  int64_t longest() const { return longest_; }  ///< predictions of the longest lane

  int64_t predictions() const;  ///< of an epoch, over all lanes
  int64_t lanes() const { return lanes_; }
  int64_t batches() const { return batches_; }
  int64_t time_steps(int64_t batch) const;      ///< of this batch, from 0
  int64_t FirstTimeStep(int64_t batch) const {  ///< within a lane
    return begins_.empty() ? batch * time_steps_ : begins_[batch];
  }

  /// Position in the token stream of a lane's first input, and the number of its predictions.
  uint64_t LaneBegin(int64_t lane) const;
  int64_t LaneSize(int64_t lane) const;

 private:
  int64_t Boundary(int64_t lane) const;

  uint64_t first_token_;
  int64_t split_predictions_, lanes_, time_steps_;
  int64_t longest_;  // predictions of the longest lane
  int64_t batches_;
  std::vector<int64_t> begins_;  // [batches + 1] where time steps vary
};

/// Reads the batches of some lanes in order. Each lane reads ahead a block of its stripe, so that
/// the file is read in large pieces.
class Lanes {
 public:
  /// `dataset` must outlive this.
  Lanes(const io::Dataset& dataset, const LaneLayout& layout, LaneRange range);

  const LaneLayout& layout() const { return layout_; }
  LaneRange range() const { return range_; }

  /// Batch number `batch` of an epoch, [T, B] for this object's lanes. Its arrays live until the
  /// next call. io's errors.
  worker::TokenBatch Read(int64_t batch);

 private:
  struct Block {
    uint64_t begin = 0;
    std::vector<int32_t> tokens;
  };
  const int32_t* Tokens(int64_t lane, uint64_t begin, int64_t count);

  const io::Dataset& dataset_;
  const LaneLayout layout_;
  const LaneRange range_;
  std::vector<Block> blocks_;
  std::vector<int32_t> inputs_, targets_;
};

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_DATA_LANES_H_
