#include "trainer/ranks/watchdog.h"

#include <algorithm>
#include <utility>

namespace lockstep::trainer {
namespace {

constexpr auto kTick = std::chrono::milliseconds(200);
// A tick that took longer than this did so because the process was stopped, or had no processor.
constexpr double kLongestTickSeconds = 1.0;

}  // namespace

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
  std::unique_lock lock(mutex_);
  while (!ending_) {
    changed_.wait_for(lock, kTick);
    if (wait_) Tick();
  }
}

// No clock of the system stands still for a stopped process, so the time is counted tick by tick.
void Watchdog::Tick() {
  const auto now = Clock::now();
  const double seconds = std::chrono::duration<double>(now - wait_->counted_until).count();
  wait_->counted_until = now;
  wait_->waited_seconds += std::min(seconds, kLongestTickSeconds);
  if (wait_->rules.on_tick) wait_->rules.on_tick();
  if (wait_->waited_seconds < wait_->rules.limit_seconds) return;
  const Rules rules = std::move(wait_->rules);
  wait_.reset();
  rules.on_expiry(rules.limit_seconds);
}

Watchdog::Section::Section(Watchdog& watchdog, Rules rules) : watchdog_(watchdog) {
  const std::lock_guard lock(watchdog_.mutex_);
  watchdog_.wait_ = {std::move(rules), Clock::now()};
}

Watchdog::Section::Section(Watchdog& watchdog, const char* what)
    : Section(watchdog, {watchdog.limit_seconds_,
                         [&watchdog, what](double seconds) { watchdog.on_expiry_(what, seconds); },
                         {}}) {}

Watchdog::Section::~Section() {
  const std::lock_guard lock(watchdog_.mutex_);
  watchdog_.wait_.reset();
}

}  // namespace lockstep::trainer
