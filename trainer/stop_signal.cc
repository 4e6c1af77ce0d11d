#include "trainer/stop_signal.h"

#include <csignal>
#include <initializer_list>

namespace lockstep::trainer {
namespace {

volatile std::sig_atomic_t stop_signal = 0;

void Remember(int signal) {
  if (stop_signal == 0) stop_signal = signal;
}

}  // namespace

void CatchStopSignals() {
  struct sigaction action = {};
  action.sa_handler = Remember;
  action.sa_flags = SA_RESTART;
  for (const int signal : {SIGTERM, SIGINT, SIGUSR1}) sigaction(signal, &action, nullptr);
}

int StopSignal() { return stop_signal; }

}  // namespace lockstep::trainer
