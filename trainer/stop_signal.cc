#include "trainer/stop_signal.h"

#include <csignal>
#include <ctime>
#include <initializer_list>

namespace lockstep::trainer {
namespace {

sigset_t StopSignals() {
  sigset_t set;
  sigemptyset(&set);
  for (const int signal : {SIGTERM, SIGINT, SIGUSR1}) sigaddset(&set, signal);
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

}  // namespace lockstep::trainer
