#ifndef LOCKSTEP_TRAINER_RUN_PHASE_TIMER_H_
#define LOCKSTEP_TRAINER_RUN_PHASE_TIMER_H_

#include <array>
#include <chrono>
#include <string>

namespace lockstep::trainer {

/// Where the time of a training goes, on this rank.
enum class Phase {
  kData,
  kForward,
  kBackward,
  kReduce,
  kOptimizer,
  kEvaluation,
  kCheckpoint,
  kOther
};
inline constexpr int kPhases = 8;

/// A stop watch that is always in exactly one phase; Enter closes the one before.
class PhaseTimer {
 public:
  using Clock = std::chrono::steady_clock;

  PhaseTimer() : since_(Clock::now()) {}

  void Enter(Phase phase) {
    const auto now = Clock::now();
    seconds_[static_cast<int>(phase_)] += std::chrono::duration<double>(now - since_).count();
    since_ = now;
    phase_ = phase;
  }

  double seconds(Phase phase) const { return seconds_[static_cast<int>(phase)]; }

  /// "data 1%, forward 30%, ..., of 123 s".
  std::string Summary() const;

 private:
  Phase phase_ = Phase::kOther;
  Clock::time_point since_;
  std::array<double, kPhases> seconds_ = {};
};

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_RUN_PHASE_TIMER_H_
