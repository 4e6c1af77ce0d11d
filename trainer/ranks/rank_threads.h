#ifndef LOCKSTEP_TRAINER_RANKS_RANK_THREADS_H_
#define LOCKSTEP_TRAINER_RANKS_RANK_THREADS_H_

#include "trainer/ranks/communicator.h"
#include "trainer/terminal/console.h"

namespace lockstep::trainer {

/// Collective. Sets and returns the compute threads of this rank: `wanted` where that is not 0,
/// else OMP_NUM_THREADS, else this rank's share of the cores of its host. Warns where ranks and
/// threads exceed the cores of any host.
int ChooseThreads(Communicator& communicator, Console& console, int wanted);

/// The threads of a process that is no rank among others: OMP_NUM_THREADS, else the cores that it
/// may use.
int ThreadsAlone();

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_RANKS_RANK_THREADS_H_
