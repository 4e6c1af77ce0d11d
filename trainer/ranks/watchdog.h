#ifndef LOCKSTEP_TRAINER_RANKS_WATCHDOG_H_
#define LOCKSTEP_TRAINER_RANKS_WATCHDOG_H_

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
/// limit; that is expected to end the process. Only time in which the process ran counts: one that
/// was suspended (SIGSTOP, scontrol suspend) goes on with nearly all of the limit that it had left.
class Watchdog {
 public:
  explicit Watchdog(std::function<void(const std::string& what, double seconds)> on_expiry);
  ~Watchdog();
  Watchdog(const Watchdog&) = delete;
  Watchdog& operator=(const Watchdog&) = delete;

  /// Applies to sections entered from now on.
  void set_limit_seconds(double seconds);

  /// What holds for one section.
  struct Rules {
    double limit_seconds = 0.0;
    std::function<void(double limit_seconds)> on_expiry;
    std::function<void()> on_tick;  ///< may be empty; called several times a second
  };

  /// Guards from construction to destruction. Sections do not nest.
  class Section {
   public:
    Section(Watchdog& watchdog, const char* what);
    /// With rules of its own, which the watchdog's thread follows.
    Section(Watchdog& watchdog, Rules rules);
    ~Section();
    Section(const Section&) = delete;
    Section& operator=(const Section&) = delete;

   private:
    Watchdog& watchdog_;
  };

 private:
  using Clock = std::chrono::steady_clock;
  struct Wait {
    Rules rules;
    Clock::time_point counted_until;
    double waited_seconds = 0.0;
  };
  void Watch();
  void Tick();

  const std::function<void(const std::string&, double)> on_expiry_;
  std::mutex mutex_;
  std::condition_variable changed_;
  double limit_seconds_ = 1800.0;
  std::optional<Wait> wait_;  // of the section that is being guarded
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_RANKS_WATCHDOG_H_
