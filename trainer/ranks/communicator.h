#ifndef LOCKSTEP_TRAINER_RANKS_COMMUNICATOR_H_
#define LOCKSTEP_TRAINER_RANKS_COMMUNICATOR_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <memory>
#include <span>
#include <stdexcept>
#include <string>
#include <type_traits>
#include <vector>

#include "trainer/exit_status.h"

namespace lockstep::trainer {

/// A failure that all ranks know of: every rank throws it at the same place, and rank 0 tells the
/// user.
class AgreedError : public std::runtime_error {
 public:
  AgreedError(const std::string& message, ExitStatus status)
      : std::runtime_error(message), status_(status) {}
  ExitStatus status() const { return status_; }

 private:
  ExitStatus status_;
};

/// The ranks of this job (MPI_COMM_WORLD) and all that they say to each other, but for the sums of
/// gradients (trainer/ranks/gradient_sum.h). Every wait has a bound: a collective that takes longer
/// than the timeout ends this process with a message, and with it the job; so does a start that
/// takes longer than LOCKSTEP_START_MINUTES (10). Calls marked collective must be made by all ranks
/// in the same order. One thread calls at a time.
class Communicator {
 public:
  /// Starts MPI. Without mpirun or srun this is a job of one rank. A stop signal
  /// (trainer/ranks/stop_signal.h) that comes meanwhile ends the process with kStopped. UsageError
  /// where LOCKSTEP_START_MINUTES is no positive number.
  Communicator();
  ~Communicator();
  Communicator(const Communicator&) = delete;
  Communicator& operator=(const Communicator&) = delete;

  int rank() const { return rank_; }
  int size() const { return size_; }
  bool is_root() const { return rank_ == 0; }
  const std::string& host() const { return host_; }

  /// " (rank 3 on node7)", empty in a job of one rank.
  std::string Place() const;

  /// The bound on every wait from now on.
  void SetTimeoutSeconds(double seconds);

  /// Collective. x = sum over ranks of x, the same bits on every rank. Of gradients see
  /// trainer/ranks/gradient_sum.h.
  void Sum(std::span<double> x);

  /// Collective. x = the largest over ranks.
  void Max(std::span<double> x);

  /// Collective. Rank 0's x for everyone.
  void Broadcast(std::span<float> x);
  void Broadcast(std::string& text);
  template <class T>
  void BroadcastValue(T& value) {
    static_assert(std::is_trivially_copyable_v<T>);
    BroadcastBytes(&value, sizeof value);
  }

  /// Collective. All ranks' arrays one after another, or all texts, in rank order; empty on ranks
  /// other than 0.
  std::vector<float> Gather(std::span<const float> x);
  std::vector<std::string> Gather(const std::string& text);

  /// Collective. The reverse: `mine` = rank 0's part_of(this rank), which only rank 0 calls and
  /// which must have the size of that rank's `mine`: AgreedError where it has not.
  void Scatter(const std::function<std::vector<float>(int rank)>& part_of, std::span<float> mine);

  /// Collective. Runs `action` on every rank. Returns when it has succeeded everywhere; if it threw
  /// anywhere, every rank throws AgreedError with the message of the lowest rank that failed.
  void Together(const std::function<void()>& action);

  /// Collective. The same, but only rank 0 acts.
  void OnRoot(const std::function<void()>& action);

  /// Collective. AgreedError unless `value` is the same on every rank, such as the fingerprint of a
  /// file that every host has a copy of. `what` names it.
  void RequireSame(const std::string& value, const std::string& what);

  /// The ranks on this host and the processor cores that they may use together, and how many this
  /// rank may use: those that they are bound to, and no more than a control group's quota, which is
  /// taken as one for all of them. Not collective.
  struct HostShare {
    int ranks = 1;
    int cores = 1;
    int own_cores = 1;
  };
  const HostShare& host_share() const { return host_share_; }
  /// HostSizes of this job.
  const std::vector<int>& host_sizes() const { return host_sizes_; }

  /// For what waits for other ranks in its own way: runs `wait` within the timeout.
  void Bounded(const char* what, const std::function<void()>& wait);
  /// Whether threads other than the one that started MPI may call it, one at a time.
  bool threads_may_call() const { return threads_may_call_; }

  /// Collective. Ends MPI; nothing may be called after it.
  void Finalize();

  /// Ends the whole job with this status, at once; where the launcher does not do so within a
  /// minute, or a stop signal comes, this process alone. Not collective.
  [[noreturn]] void Abort(int status);

 private:
  struct Impl;
  void BroadcastBytes(void* data, size_t bytes);
  void Send(std::span<const std::byte> x, int to);
  void Receive(std::span<std::byte> x, int from);
  std::vector<uint64_t> GatherSizes(uint64_t size);  // of all ranks, on rank 0
  void MeasureHost();

  std::unique_ptr<Impl> impl_;
  int rank_ = 0;
  int size_ = 1;
  std::string host_;
  HostShare host_share_;
  std::vector<int> host_sizes_;
  bool threads_may_call_ = false;
};

/// The numbers of ranks of all hosts, from the first rank of each rank's host; empty where ranks of
/// a host do not follow one another.
std::vector<int> HostSizes(const std::vector<int>& firsts);

/// Whether the environment names a launcher: Open MPI's own, one that speaks PMI or PMIx (Slurm,
/// Flux), Cray's.
bool IsLaunched();

/// The rank that the launcher's environment gives this process (Open MPI, PMIx), 0 where there is
/// none: for commands that need one process only and do not start MPI.
int LauncherRank();

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_RANKS_COMMUNICATOR_H_
