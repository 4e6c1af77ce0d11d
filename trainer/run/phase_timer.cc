#include "trainer/run/phase_timer.h"

#include <numeric>

#include <fmt/format.h>

namespace lockstep::trainer {

std::string PhaseTimer::Summary() const {
  static constexpr const char* kNames[kPhases] = {
      "data",      "forward",    "backward",   "exposed allreduce",
      "optimizer", "evaluation", "checkpoint", "other"};
  const double total = std::accumulate(seconds_.begin(), seconds_.end(), 0.0);
  std::string text;
  for (int phase = 0; phase < kPhases; ++phase) {
    text += fmt::format("{}{} {:.1f} s ({:.1f}%)", phase ? ", " : "", kNames[phase],
                        seconds_[phase], total > 0 ? 100 * seconds_[phase] / total : 0.0);
  }
  return fmt::format("{:.1f} s: {}", total, text);
}

}  // namespace lockstep::trainer
