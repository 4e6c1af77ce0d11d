#include "trainer/run/save_retry.h"

#include <algorithm>

namespace lockstep::trainer {

void SaveRetry::Failed(TimePoint now) {
  if (failures_ == 0) first_ = now;
  last_ = now;
  ++failures_;
}

// Counted, too: an hour in which the job was suspended is none of tries.
bool SaveRetry::IsOver() const {
  constexpr int kLeastTries = 8;
  return failures_ >= kLeastTries && last_ - first_ >= std::chrono::hours(1);
}

std::chrono::minutes SaveRetry::Wait() const {
  constexpr int kLongest = 10;
  return std::chrono::minutes(failures_ > 4 ? kLongest : std::min(kLongest, 1 << (failures_ - 1)));
}

}  // namespace lockstep::trainer
