#ifndef LOCKSTEP_TRAINER_HOST_MEMORY_H_
#define LOCKSTEP_TRAINER_HOST_MEMORY_H_

#include <cstdint>

namespace lockstep::trainer {

/// What this host could still give out, in bytes; 0 where the system does not tell.
int64_t AvailableMemoryBytes();

/// The most that this process has held so far, in bytes.
int64_t PeakMemoryBytes();

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_HOST_MEMORY_H_
