#ifndef LOCKSTEP_TRAINER_RANKS_HOST_MEMORY_H_
#define LOCKSTEP_TRAINER_RANKS_HOST_MEMORY_H_

#include <cstdint>
#include <filesystem>

namespace lockstep::trainer {

/// What this host could still give out, and the control groups of this process let it take, in
/// bytes; 0 where the system does not tell. `root` stands for "/".
int64_t AvailableMemoryBytes(const std::filesystem::path& root = "/");

/// The most that this process has held so far, in bytes.
int64_t PeakMemoryBytes();

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_RANKS_HOST_MEMORY_H_
