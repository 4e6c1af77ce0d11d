#ifndef LOCKSTEP_TRAINER_COMMANDS_IMPORT_PROGRESS_H_
#define LOCKSTEP_TRAINER_COMMANDS_IMPORT_PROGRESS_H_

#include <chrono>
#include <string>

#include "trainer/terminal/console.h"

namespace lockstep::trainer {

/// How far an import is: a live line on a terminal, elsewhere a plain line every 10 seconds.
class ImportProgress {
 public:
  /// `console` must outlive this.
  explicit ImportProgress(Console& console) : console_(console) {}

  void Show(const std::string& line) {
    constexpr double kPlainSeconds = 10.0;
    console_.Live(line);
    if (console_.live() || SecondsSince(line_at_) < kPlainSeconds) return;
    line_at_ = Clock::now();
    console_.Info(line);
  }

  /// Since the start.
  double seconds() const { return SecondsSince(start_); }

 private:
  using Clock = std::chrono::steady_clock;
  static double SecondsSince(Clock::time_point then) {
    return std::chrono::duration<double>(Clock::now() - then).count();
  }

  Console& console_;
  const Clock::time_point start_ = Clock::now();
  Clock::time_point line_at_ = start_;
};

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_COMMANDS_IMPORT_PROGRESS_H_
