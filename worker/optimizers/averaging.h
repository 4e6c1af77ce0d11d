#ifndef LOCKSTEP_WORKER_OPTIMIZERS_AVERAGING_H_
#define LOCKSTEP_WORKER_OPTIMIZERS_AVERAGING_H_

#include <cstdint>
#include <deque>
#include <limits>
#include <span>
#include <variant>

#include "worker/buffer.h"

namespace lockstep::worker {

/// The weights themselves.
struct NoAveraging {};
/// a = d a + (1 - d) w after every update, an exponential moving average, with d = min(decay, (1 +
/// n) / (10 + n)) behind n earlier updates, as TensorFlow's ExponentialMovingAverage(num_updates);
/// the first one sets a = w.
struct ExponentialAveraging {
  double decay = 0.999;
};
/// a = the mean of w after every update since the average began (averaged SGD: Polyak and Juditsky
/// 1992; torch.optim.ASGD with t0 = 0). It begins behind the first evaluation whose validation loss
/// is above the least of all evaluations but the last `patience` before it: Merity et al. 2017,
/// algorithm 1 (NT-ASGD), with n = patience.
struct TriggeredAveraging {
  int patience = 5;
};

using AveragingOptions = std::variant<NoAveraging, ExponentialAveraging, TriggeredAveraging>;

/// What an average remembers beside its values. Belongs into a checkpoint.
struct AveragingState {
  int64_t count = 0;   ///< updates that the average is of; 0: there is none yet
  bool begun = false;  ///< TriggeredAveraging; what is below matters before only
  /// The least validation loss of evaluations that are older than `recent`, the last ones.
  double least = std::numeric_limits<double>::infinity();
  std::deque<double> recent;

  bool operator==(const AveragingState&) const = default;
};

/// An average of flat weights over the updates of a training. The same on every rank.
class Averaging {
 public:
  /// Allocates its values, but for NoAveraging.
  Averaging(const AveragingOptions& options, int64_t size);

  /// Whether there is anything to remember, ever.
  bool enabled() const { return !std::holds_alternative<NoAveraging>(options_); }
  /// Whether there are averages by now.
  bool active() const { return state_.count > 0; }

  /// After an update: `weights` have the size given at construction.
  void Update(std::span<const float> weights);

  /// Tells of an evaluation. True when the average begins with the next update.
  bool Observe(double validation_loss);

  /// Exchanges weights and averages where there are any, bit by bit: a second call brings them
  /// back.
  void Swap(std::span<float> weights);

  /// [P]; empty where there will never be any.
  std::span<float> values() { return {values_.data(), values_.capacity()}; }
  std::span<const float> values() const { return {values_.data(), values_.capacity()}; }

  const AveragingState& state() const { return state_; }
  void set_state(const AveragingState& state) { state_ = state; }

 private:
  const AveragingOptions options_;
  AveragingState state_;
  Buffer values_;
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_OPTIMIZERS_AVERAGING_H_
