#ifndef LOCKSTEP_TRAINER_STOP_SIGNAL_H_
#define LOCKSTEP_TRAINER_STOP_SIGNAL_H_

namespace lockstep::trainer {

/// From now on SIGTERM, SIGINT and SIGUSR1 only ask this process to stop; the training finishes its
/// step, saves and exits.
void CatchStopSignals();

/// The first such signal that has arrived, 0 while there is none.
int StopSignal();

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_STOP_SIGNAL_H_
