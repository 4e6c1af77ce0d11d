#ifndef LOCKSTEP_TRAINER_RANKS_STOP_SIGNAL_H_
#define LOCKSTEP_TRAINER_RANKS_STOP_SIGNAL_H_

namespace lockstep::trainer {

/// From now on SIGTERM, SIGINT, SIGHUP and SIGUSR1 only ask this process to stop; the training
/// finishes its batch, saves and exits. SIGHUP stays ignored where it was (nohup). Call it before
/// any other thread starts: threads inherit this.
void CatchStopSignals();

/// The first such signal that has arrived, 0 while there is none. One thread calls.
int StopSignal();

/// Such a signal that has arrived and that StopSignal has not given yet, 0 where there is none; it
/// stays. Any thread may call.
int PendingStopSignal();

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_RANKS_STOP_SIGNAL_H_
