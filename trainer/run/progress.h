#ifndef LOCKSTEP_TRAINER_RUN_PROGRESS_H_
#define LOCKSTEP_TRAINER_RUN_PROGRESS_H_

#include <chrono>
#include <cstdint>
#include <string>

#include "io/text/vocabulary.h"
#include "trainer/run/replica.h"
#include "trainer/terminal/console.h"

namespace lockstep::trainer {

/// A loss in the unit that people compare: "2.643 bits/char", "1.91 bits/byte", "perplexity 112.4".
/// `loss` is in nats a token.
std::string DescribeLoss(double loss, io::TokenKind kind);

/// "1:02:03" or "4:05".
std::string DescribeSeconds(double seconds);

/// The progress of a training: a live line on a terminal, elsewhere a plain line at intervals.
class Progress {
 public:
  struct Plan {
    int64_t total_steps = 0;
    int64_t steps_per_epoch = 0;
    io::TokenKind kind = io::TokenKind::kChar;
    double interval_seconds = 10.0;
  };

  /// `console` must outlive this. `first_step` is where this process starts.
  Progress(Console& console, const Plan& plan, int64_t first_step);

  /// After each step.
  void Step(const Position& position, int64_t step_tokens);

  /// The line for what has come since the last one, now.
  void Flush(const Position& position);

 private:
  using Clock = std::chrono::steady_clock;
  std::string Line(const Position& position) const;

  Console& console_;
  const Plan plan_;
  const int64_t first_step_;
  const Clock::time_point started_ = Clock::now();
  Clock::time_point line_at_ = started_;
  Clock::time_point live_at_ = started_;
  // Since the last plain line.
  int64_t steps_ = 0;
  int64_t tokens_ = 0;
  double loss_sum_ = 0.0;
};

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_RUN_PROGRESS_H_
