#include "trainer/ranks/stop_signal.h"

#include <csignal>
#include <ctime>

namespace lockstep::trainer {
namespace {

constexpr int kStopSignals[] = {SIGTERM, SIGINT, SIGHUP, SIGUSR1};

// A signal that is ignored and blocked is kept all the same: what nohup started would stop.
bool IsIgnored(int signal) {
  struct sigaction action = {};
  sigaction(signal, nullptr, &action);
  return action.sa_handler == SIG_IGN;
}

sigset_t StopSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : kStopSignals) {
    if (signal != SIGHUP || !IsIgnored(signal)) sigaddset(&set, signal);
  }
  return set;
}

}  // namespace

// Blocked and asked for, never handled: oneDNN's float32 kernels before 3.11.2 keep a heap address
// in the stack pointer (oneDNN issue 4845), and the frame of any handler that runs meanwhile, on
// any thread, overwrites the heap. tests/trainer/signals_test.cc.
void CatchStopSignals() {
  const sigset_t set = StopSignals();
  pthread_sigmask(SIG_BLOCK, &set, nullptr);
}

int StopSignal() {
  static int first = 0;
  if (first == 0) {
    const sigset_t set = StopSignals();
    const timespec at_once = {0, 0};
    const int signal = sigtimedwait(&set, nullptr, &at_once);
    if (signal > 0) first = signal;
  }
  return first;
}

int PendingStopSignal() {
  sigset_t pending;
  sigpending(&pending);
  for (const int signal : kStopSignals) {
    if (sigismember(&pending, signal) == 1) return signal;
  }
  return 0;
}

}  // namespace lockstep::trainer
