#ifndef LOCKSTEP_TRAINER_RANKS_AFFINITY_H_
#define LOCKSTEP_TRAINER_RANKS_AFFINITY_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

namespace lockstep::trainer {

/// The processors that this process may use, as a set of bits, of whatever length the system needs;
/// empty where it does not tell. `get` stands for sched_getaffinity: it fills the mask and returns
/// 0, or -1 with errno, EINVAL for a mask that is too short.
std::vector<uint64_t> AffinityMask(const std::function<int(size_t bytes, uint64_t* mask)>& get);
std::vector<uint64_t> AffinityMask();

/// How many there are in a mask, at least 1.
int CountProcessors(std::span<const uint64_t> mask);

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_RANKS_AFFINITY_H_
