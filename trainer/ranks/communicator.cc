#include "trainer/ranks/communicator.h"

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <numeric>
#include <string_view>

#include <fmt/format.h>
#include <mpi.h>
#include <unistd.h>

#include "trainer/ranks/affinity.h"
#include "trainer/ranks/cgroup.h"
#include "trainer/ranks/mpi_error.h"
#include "trainer/ranks/stop_signal.h"
#include "trainer/ranks/watchdog.h"

namespace lockstep::trainer {
namespace {

// MPI counts are ints: longer arrays go in pieces.
constexpr size_t kPiece = size_t{1} << 28;

std::string HostName() {
  char name[256] = {};
  gethostname(name, sizeof name - 1);
  return name;
}

// Of the whole start: a first job on slow hosts takes some seconds.
double StartLimitSeconds() {
  constexpr double kMinutes = 10.0;
  const char* given = std::getenv("LOCKSTEP_START_MINUTES");
  if (!given) return 60.0 * kMinutes;
  char* end = nullptr;
  const double minutes = std::strtod(given, &end);
  if (end == given || *end != '\0' || !(minutes > 0.0) || !std::isfinite(minutes)) {
    throw UsageError(
        fmt::format("LOCKSTEP_START_MINUTES={}: give a number of minutes above 0, or unset it "
                    "(then it is {:.0f}).",
                    given, kMinutes));
  }
  return 60.0 * minutes;
}

// Ends this process alone, from the watchdog's thread: the main thread is stuck in MPI, which may
// not be called here. The launcher ends the other ranks.
[[noreturn]] void EndAtOnce(const std::string& place, const std::string& message, int status) {
  const std::string line = fmt::format("lockstep: error{}: {}\n", place, message);
  [[maybe_unused]] const auto written = write(STDERR_FILENO, line.data(), line.size());
  _exit(status);
}

// Nothing has been done, so that a stop needs no checkpoint.
Watchdog::Rules StartRules(const std::string& place, double limit_seconds) {
  return {limit_seconds,
          [place](double seconds) {
            EndAtOnce(place,
                      fmt::format("MPI has not started within {:.0f} s: another process of the job "
                                  "has not come up, or hosts do not reach each other. Look at the "
                                  "launcher's messages, at whether `lockstep --version` runs on "
                                  "every host, and at firewalls between the hosts "
                                  "(LOCKSTEP_START_MINUTES sets this bound).",
                                  seconds),
                      kFailed);
          },
          [place] {
            const int signal = PendingStopSignal();
            if (signal == 0) return;
            EndAtOnce(place,
                      fmt::format("stopped by signal {} while MPI was starting; nothing was done. "
                                  "Start the same command again.",
                                  signal),
                      kStopped);
          }};
}

// A process that no launcher started needs no network and no daemon beside it, which would be three
// quarters of the time that a short command takes: Open MPI tries every network that it knows, two
// of which count the clock for 100 ms each, and starts an orted. What the environment says stays.
void SpareOneProcessTheNetwork() {
  if (IsLaunched()) return;
  constexpr int kKeepTheUsers = 0;
  setenv("OMPI_MCA_ess_singleton_isolated", "1", kKeepTheUsers);
  setenv("OMPI_MCA_pml", "ob1", kKeepTheUsers);
}

}  // namespace

struct Communicator::Impl {
  explicit Impl(std::function<void(const std::string&, double)> on_expiry)
      : watchdog(std::move(on_expiry)) {}
  Watchdog watchdog;
};

Communicator::Communicator() : rank_(LauncherRank()), host_(HostName()) {
  const double limit_seconds = StartLimitSeconds();
  impl_ = std::make_unique<Impl>([this](const std::string& what, double seconds) {
    EndAtOnce(
        Place(),
        fmt::format("waited {:.0f} s for the other ranks ({}). One of them has stopped or its "
                    "network is cut. The last checkpoint is good: start the job again "
                    "(training.timeout_minutes sets this bound).",
                    seconds, what),
        kFailed);
  });
  // The number of ranks is not known yet.
  const std::string place = fmt::format(" (rank {} on {})", rank_, host_);
  const Watchdog::Section section(impl_->watchdog, StartRules(place, limit_seconds));
  SpareOneProcessTheNetwork();
  int provided = 0;
  CheckMpi(MPI_Init_thread(nullptr, nullptr, MPI_THREAD_SERIALIZED, &provided), "MPI_Init_thread");
  threads_may_call_ = provided >= MPI_THREAD_SERIALIZED;
  MPI_Comm_set_errhandler(MPI_COMM_WORLD, MPI_ERRORS_RETURN);
  MPI_Comm_rank(MPI_COMM_WORLD, &rank_);
  MPI_Comm_size(MPI_COMM_WORLD, &size_);
  MeasureHost();
}

Communicator::~Communicator() = default;

std::string Communicator::Place() const {
  return size_ > 1 ? fmt::format(" (rank {} on {})", rank_, host_) : "";
}

void Communicator::SetTimeoutSeconds(double seconds) { impl_->watchdog.set_limit_seconds(seconds); }

void Communicator::MeasureHost() {
  MPI_Comm local;
  CheckMpi(MPI_Comm_split_type(MPI_COMM_WORLD, MPI_COMM_TYPE_SHARED, rank_, MPI_INFO_NULL, &local),
           "MPI_Comm_split_type");
  // Masks of one length, whatever length each rank's system needed.
  std::vector<uint64_t> own = AffinityMask();
  auto words = static_cast<int>(own.size());
  CheckMpi(MPI_Allreduce(MPI_IN_PLACE, &words, 1, MPI_INT, MPI_MAX, local), "MPI_Allreduce");
  own.resize(words);
  std::vector<uint64_t> together(words);
  CheckMpi(MPI_Allreduce(own.data(), together.data(), words, MPI_UINT64_T, MPI_BOR, local),
           "MPI_Allreduce");
  MPI_Comm_size(local, &host_share_.ranks);
  const auto most = static_cast<int>(std::clamp(ReadCgroupLimits().cpus, 1.0, 1e6));
  host_share_.cores = std::min(CountProcessors(together), most);
  host_share_.own_cores = std::min(CountProcessors(own), most);
  int first = rank_;
  CheckMpi(MPI_Allreduce(MPI_IN_PLACE, &first, 1, MPI_INT, MPI_MIN, local), "MPI_Allreduce");
  MPI_Comm_free(&local);
  std::vector<int> firsts(size_);  // of each rank's host
  CheckMpi(MPI_Allgather(&first, 1, MPI_INT, firsts.data(), 1, MPI_INT, MPI_COMM_WORLD),
           "MPI_Allgather");
  host_sizes_ = HostSizes(firsts);
}

std::vector<int> HostSizes(const std::vector<int>& firsts) {
  std::vector<int> sizes;
  for (int rank = 0; rank < static_cast<int>(firsts.size()); ++rank) {
    if (firsts[rank] == rank) {
      sizes.push_back(1);
    } else if (firsts[rank] == firsts[rank - 1]) {
      ++sizes.back();
    } else {
      return {};
    }
  }
  return sizes;
}

void Communicator::Sum(std::span<double> x) {
  const Watchdog::Section section(impl_->watchdog, "sum of losses");
  CheckMpi(MPI_Allreduce(MPI_IN_PLACE, x.data(), static_cast<int>(x.size()), MPI_DOUBLE, MPI_SUM,
                         MPI_COMM_WORLD),
           "MPI_Allreduce");
}

void Communicator::Max(std::span<double> x) {
  const Watchdog::Section section(impl_->watchdog, "agreement");
  CheckMpi(MPI_Allreduce(MPI_IN_PLACE, x.data(), static_cast<int>(x.size()), MPI_DOUBLE, MPI_MAX,
                         MPI_COMM_WORLD),
           "MPI_Allreduce");
}

void Communicator::BroadcastBytes(void* data, size_t bytes) {
  const Watchdog::Section section(impl_->watchdog, "broadcast");
  auto* at = static_cast<char*>(data);
  for (size_t done = 0; done < bytes; done += kPiece) {
    CheckMpi(MPI_Bcast(at + done, static_cast<int>(std::min(kPiece, bytes - done)), MPI_BYTE, 0,
                       MPI_COMM_WORLD),
             "MPI_Bcast");
  }
}

void Communicator::Broadcast(std::span<float> x) { BroadcastBytes(x.data(), x.size_bytes()); }

void Communicator::Broadcast(std::string& text) {
  uint64_t size = text.size();
  BroadcastValue(size);
  text.resize(size);
  BroadcastBytes(text.data(), size);
}

void Communicator::Send(std::span<const std::byte> x, int to) {
  for (size_t at = 0; at < x.size(); at += kPiece) {
    CheckMpi(MPI_Send(x.data() + at, static_cast<int>(std::min(kPiece, x.size() - at)), MPI_BYTE,
                      to, 0, MPI_COMM_WORLD),
             "MPI_Send");
  }
}

void Communicator::Receive(std::span<std::byte> x, int from) {
  for (size_t at = 0; at < x.size(); at += kPiece) {
    CheckMpi(MPI_Recv(x.data() + at, static_cast<int>(std::min(kPiece, x.size() - at)), MPI_BYTE,
                      from, 0, MPI_COMM_WORLD, MPI_STATUS_IGNORE),
             "MPI_Recv");
  }
}

std::vector<uint64_t> Communicator::GatherSizes(uint64_t size) {
  std::vector<uint64_t> sizes(size_);
  CheckMpi(MPI_Gather(&size, 1, MPI_UINT64_T, sizes.data(), 1, MPI_UINT64_T, 0, MPI_COMM_WORLD),
           "MPI_Gather");
  return sizes;
}

// Not MPI_Gatherv, whose offsets are ints.
std::vector<float> Communicator::Gather(std::span<const float> x) {
  const Watchdog::Section section(impl_->watchdog, "gathering of states");
  const std::vector<uint64_t> counts = GatherSizes(x.size());
  if (!is_root()) {
    Send(std::as_bytes(x), 0);
    return {};
  }
  std::vector<float> all(std::reduce(counts.begin(), counts.end()));
  std::copy(x.begin(), x.end(), all.begin());
  size_t at = x.size();
  for (int rank = 1; rank < size_; at += counts[rank++]) {
    Receive(std::as_writable_bytes(std::span(all).subspan(at, counts[rank])), rank);
  }
  return all;
}

void Communicator::Scatter(const std::function<std::vector<float>(int rank)>& part_of,
                           std::span<float> mine) {
  const Watchdog::Section section(impl_->watchdog, "scattering of states");
  // Were the sizes not the same, one side would wait for ever.
  std::vector<double> wanted(static_cast<size_t>(size_));
  wanted[static_cast<size_t>(rank_)] = static_cast<double>(mine.size());
  Sum(std::span<double>(wanted));
  OnRoot([&] {
    for (int rank = 0; rank < size_; ++rank) {
      const size_t held = part_of(rank).size();
      if (static_cast<double>(held) == wanted[static_cast<size_t>(rank)]) continue;
      throw std::logic_error(
          fmt::format("rank 0 has {} floats of a state for rank {}, which has "
                      "room for {:.0f}",
                      held, rank, wanted[static_cast<size_t>(rank)]));
    }
  });
  if (!is_root()) return Receive(std::as_writable_bytes(mine), 0);
  for (int rank = 1; rank < size_; ++rank) {
    Send(std::as_bytes(std::span<const float>(part_of(rank))), rank);
  }
  std::ranges::copy(part_of(0), mine.begin());
}

std::vector<std::string> Communicator::Gather(const std::string& text) {
  const Watchdog::Section section(impl_->watchdog, "gathering of texts");
  const std::vector<uint64_t> sizes = GatherSizes(text.size());
  if (!is_root()) {
    Send(std::as_bytes(std::span(text)), 0);
    return {};
  }
  std::vector<std::string> texts = {text};
  for (int rank = 1; rank < size_; ++rank) {
    texts.emplace_back(sizes[rank], '\0');
    Receive(std::as_writable_bytes(std::span(texts.back())), rank);
  }
  return texts;
}

void Communicator::Together(const std::function<void()>& action) {
  struct {
    int rank;
    int status;
  } failure = {size_, kDone};
  std::string message;
  try {
    action();
  } catch (const std::exception& error) {
    failure = {rank_, StatusOf(error)};
    message = error.what();
    // The rank matters to the user only where not every rank says the same.
    if (rank_ > 0) message += Place();
  }
  int first = size_;
  {
    const Watchdog::Section section(impl_->watchdog, "agreement");
    CheckMpi(MPI_Allreduce(&failure.rank, &first, 1, MPI_INT, MPI_MIN, MPI_COMM_WORLD),
             "MPI_Allreduce");
  }
  if (first == size_) return;
  const Watchdog::Section section(impl_->watchdog, "agreement");
  int length = static_cast<int>(message.size());
  CheckMpi(MPI_Bcast(&length, 1, MPI_INT, first, MPI_COMM_WORLD), "MPI_Bcast");
  message.resize(length);
  CheckMpi(MPI_Bcast(message.data(), length, MPI_CHAR, first, MPI_COMM_WORLD), "MPI_Bcast");
  CheckMpi(MPI_Bcast(&failure.status, 1, MPI_INT, first, MPI_COMM_WORLD), "MPI_Bcast");
  throw AgreedError(message, static_cast<ExitStatus>(failure.status));
}

void Communicator::OnRoot(const std::function<void()>& action) {
  Together([&] {
    if (is_root()) action();
  });
}

void Communicator::RequireSame(const std::string& value, const std::string& what) {
  std::string root = value;
  Broadcast(root);
  Together([&] {
    if (value == root) return;
    throw UsageError(fmt::format("{} is {} here, but {} on rank 0. Give every host the same file.",
                                 what, value, root));
  });
}

void Communicator::Bounded(const char* what, const std::function<void()>& wait) {
  const Watchdog::Section section(impl_->watchdog, what);
  wait();
}

void Communicator::Finalize() {
  const Watchdog::Section section(impl_->watchdog, "end");
  MPI_Finalize();
}

void Communicator::Abort(int status) {
  constexpr double kLimitSeconds = 60.0;
  const Watchdog::Rules rules = {
      kLimitSeconds,
      [this, status](double seconds) {
        EndAtOnce(Place(),
                  fmt::format("the launcher has not ended the job within {:.0f} s; this rank ends "
                              "alone.",
                              seconds),
                  status);
      },
      [status] {
        if (PendingStopSignal() != 0) _exit(status);
      }};
  const Watchdog::Section section(impl_->watchdog, rules);
  MPI_Abort(MPI_COMM_WORLD, status);
  std::_Exit(status);
}

bool IsLaunched() {
  for (char** entry = environ; *entry; ++entry) {
    const std::string_view text = *entry;
    for (const char* of_launcher : {"PMI", "OMPI_COMM_WORLD_", "FLUX_JOB_ID", "PALS_", "ALPS_"}) {
      if (text.starts_with(of_launcher)) return true;
    }
  }
  return false;
}

int LauncherRank() {
  for (const char* name : {"OMPI_COMM_WORLD_RANK", "PMIX_RANK"}) {
    if (const char* value = std::getenv(name)) return std::atoi(value);
  }
  return 0;
}

}  // namespace lockstep::trainer
