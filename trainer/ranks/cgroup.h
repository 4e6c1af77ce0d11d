#ifndef LOCKSTEP_TRAINER_RANKS_CGROUP_H_
#define LOCKSTEP_TRAINER_RANKS_CGROUP_H_

#include <cstdint>
#include <filesystem>
#include <limits>

namespace lockstep::trainer {

/// What the control groups of this process (of a container, of a Slurm job) still leave to it.
struct CgroupLimits {
  /// Limit less what is used, files that could be dropped not counted; at least 0.
  int64_t memory_bytes = std::numeric_limits<int64_t>::max();
  /// Processors' worth of time.
  double cpus = std::numeric_limits<double>::infinity();
};

/// The tightest limits of the process's own groups and of the groups above them, of both versions
/// of control groups (Linux's Documentation/admin-guide/cgroup-v2.rst and cgroup-v1/). `root`
/// stands for "/". What cannot be read is no limit.
CgroupLimits ReadCgroupLimits(const std::filesystem::path& root = "/");

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_RANKS_CGROUP_H_
