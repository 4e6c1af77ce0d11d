#ifndef LOCKSTEP_TRAINER_STOP_SIGNAL_H_
#define LOCKSTEP_TRAINER_STOP_SIGNAL_H_

namespace lockstep::trainer {

/// From now on SIGTERM, SIGINT and SIGUSR1 only ask this process to stop; the training finishes its
/// step, saves and exits. Call it before any other thread starts: threads inherit this.
void CatchStopSignals();

/// The first such signal that has arrived, 0 while there is none. One thread calls.
int StopSignal();

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_STOP_SIGNAL_H_
