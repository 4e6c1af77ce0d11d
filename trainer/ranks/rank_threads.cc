#include "trainer/ranks/rank_threads.h"

#include <algorithm>
#include <array>
#include <cstdlib>

#include <fmt/format.h>

#include "trainer/ranks/cgroup.h"
#include "worker/threads.h"

namespace lockstep::trainer {

int ChooseThreads(Communicator& communicator, Console& console, int wanted) {
  const Communicator::HostShare& host = communicator.host_share();
  int threads = std::clamp(host.cores / host.ranks, 1, host.own_cores);
  if (std::getenv("OMP_NUM_THREADS")) threads = worker::DefaultThreads();
  if (wanted > 0) threads = wanted;
  // The most loaded host speaks for all.
  std::array<double, 1> surplus = {static_cast<double>(host.ranks * threads - host.cores)};
  std::array<double, 1> own = {static_cast<double>(threads - host.own_cores)};
  communicator.Max(surplus);
  communicator.Max(own);
  if (surplus[0] > 0) {
    console.Warn(
        fmt::format("{} threads of compute too many for the cores of a host ({} ranks x {} threads "
                    "for {} cores here): this can be many times "
                    "slower. Start fewer ranks or set training.threads.",
                    surplus[0], host.ranks, threads, host.cores));
  } else if (own[0] > 0) {
    console.Warn(
        fmt::format("a rank has {} threads but is bound to {} cores: give mpirun --bind-to none or "
                    "--map-by slot:PE={}.",
                    threads, host.own_cores, threads));
  }
  worker::SetThreads(threads);
  return threads;
}

int ThreadsAlone() {
  const int threads = worker::DefaultThreads();
  if (std::getenv("OMP_NUM_THREADS")) return threads;
  return static_cast<int>(std::clamp<double>(ReadCgroupLimits().cpus, 1, threads));
}

}  // namespace lockstep::trainer
