#ifndef LOCKSTEP_TESTS_TRAINER_RANKS_WORLD_H_
#define LOCKSTEP_TESTS_TRAINER_RANKS_WORLD_H_

#include "trainer/ranks/communicator.h"

namespace lockstep::trainer {

/// The ranks of a test program under mpiexec. Every rank runs every test, so every rank must make
/// the same collective calls: what is found wrong is asserted after the last of them.
extern Communicator* world;

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TESTS_TRAINER_RANKS_WORLD_H_
