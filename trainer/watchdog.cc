#include "trainer/watchdog.h"

#include <utility>

namespace lockstep::trainer {

Watchdog::Watchdog(std::function<void(const std::string&, double)> on_expiry)
    : on_expiry_(std::move(on_expiry)), thread_([this] { Watch(); }) {}

Watchdog::~Watchdog() {
  {
    const std::lock_guard lock(mutex_);
    ending_ = true;
  }
  changed_.notify_one();
  thread_.join();
}

void Watchdog::set_limit_seconds(double seconds) {
  const std::lock_guard lock(mutex_);
  limit_seconds_ = seconds;
}

// Wakes by the clock, not by the sections: these are far shorter than a tick, and entering one must
// cost next to nothing.
void Watchdog::Watch() {
  constexpr auto kTick = std::chrono::milliseconds(200);
  std::unique_lock lock(mutex_);
  while (!ending_) {
    changed_.wait_for(lock, kTick);
    if (deadline_ && Clock::now() >= *deadline_) {
      deadline_.reset();
      on_expiry_(what_, limit_seconds_);
    }
  }
}

Watchdog::Section::Section(Watchdog& watchdog, const char* what) : watchdog_(watchdog) {
  const std::lock_guard lock(watchdog_.mutex_);
  watchdog_.what_ = what;
  watchdog_.deadline_ = Clock::now() + std::chrono::duration_cast<Clock::duration>(
                                           std::chrono::duration<double>(watchdog_.limit_seconds_));
}

Watchdog::Section::~Section() {
  const std::lock_guard lock(watchdog_.mutex_);
  watchdog_.deadline_.reset();
}

}  // namespace lockstep::trainer
