#ifndef LOCKSTEP_TRAINER_RUN_SAVE_RETRY_H_
#define LOCKSTEP_TRAINER_RUN_SAVE_RETRY_H_

#include <chrono>

namespace lockstep::trainer {

/// When a save that failed in the middle of a training is tried again: 1 minute later, then after
/// 2, 4, 8 and, from then on, every 10 minutes. An hour after the first failure, and
/// after 8 at least, it is given up.
class SaveRetry {
 public:
  using TimePoint = std::chrono::steady_clock::time_point;

  /// A try has failed, now.
  void Failed(TimePoint now);
  void Succeeded() { failures_ = 0; }

  /// Whether the last try failed.
  bool pending() const { return failures_ > 0; }
  /// Whether it is time for the next one.
  bool Due(TimePoint now) const { return pending() && now >= last_ + Wait(); }
  /// Whether there shall be none.
  bool IsOver() const;
  /// From the last failure to the next try.
  std::chrono::minutes Wait() const;

 private:
  int failures_ = 0;  // in a row
  TimePoint first_, last_;
};

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_RUN_SAVE_RETRY_H_
