#ifndef LOCKSTEP_TRAINER_WATCHDOG_H_
#define LOCKSTEP_TRAINER_WATCHDOG_H_

#include <chrono>
#include <condition_variable>
#include <functional>
#include <mutex>
#include <optional>
#include <string>
#include <thread>

namespace lockstep::trainer {

/// Bounds waits that cannot be bounded themselves, such as an MPI collective whose partner has
/// stopped. A thread of its own calls `on_expiry` when a guarded section takes longer than the
/// limit; that is expected to end the process.
class Watchdog {
 public:
  explicit Watchdog(std::function<void(const std::string& what, double seconds)> on_expiry);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  /// Applies to sections entered from now on.
  void set_limit_seconds(double seconds);

  /// Guards from construction to destruction. Sections do not nest.
  class Section {
   public:
    Section(Watchdog& watchdog, const char* what);
    ~Section();
    Section(const Section&) = delete;
    Section& operator=(const Section&) = delete;

   private:
    Watchdog& watchdog_;
  };

 private:
  using Clock = std::chrono::steady_clock;
  void Watch();

  const std::function<void(const std::string&, double)> on_expiry_;
  std::mutex mutex_;
  std::condition_variable changed_;
  double limit_seconds_ = 1800.0;
  std::optional<Clock::time_point> deadline_;
  const char* what_ = "";
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_WATCHDOG_H_
