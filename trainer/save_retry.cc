#include "trainer/save_retry.h"

#include <algorithm>

namespace lockstep::trainer {

void SaveRetry::Failed(TimePoint now) {
  if (failures_ == 0) first_ = now;
  last_ = now;
  ++failures_;
}

bool SaveRetry::IsOver() const { return pending() && last_ - first_ >= std::chrono::hours(1); }

std::chrono::minutes SaveRetry::Wait() const {
  constexpr int kLongest = 10;
  return std::chrono::minutes(failures_ > 4 ? kLongest : std::min(kLongest, 1 << (failures_ - 1)));
}

}  // namespace lockstep::trainer
