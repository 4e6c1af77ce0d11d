#include "trainer/ranks/piece_exchange.h"

#include <algorithm>
#include <stdexcept>

#include "trainer/ranks/mpi_error.h"
#include "worker/optimizers/clip.h"

namespace lockstep::trainer {

using Range = worker::ParameterRange;
using worker::Bfloat16;
using worker::RoundToBfloat16;
using worker::Widened;

namespace {

// Floats that are added at a time: their sums stay in the first cache level.
constexpr int64_t kBlock = 2048;

bool AllDone(std::vector<MPI_Request>& requests) {
  int done = 0;
  CheckMpi(
      MPI_Testall(static_cast<int>(requests.size()), requests.data(), &done, MPI_STATUSES_IGNORE),
      "MPI_Testall");
  if (done) requests.clear();
  return done != 0;
}

}  // namespace

Range ShareOfPiece(int64_t size, int part, int parts) {
  const int64_t blocks = (size + worker::kNormBlock - 1) / worker::kNormBlock;
  const auto cut = [&](int64_t at) {
    return std::min(size, blocks * at / parts * worker::kNormBlock);
  };
  return {cut(part), cut(part + 1)};
}

int64_t LargestShare(int64_t size, int parts) {
  const int64_t blocks = (size + worker::kNormBlock - 1) / worker::kNormBlock;
  return std::min(size, (blocks + parts - 1) / parts * worker::kNormBlock);
}

PairsExchange::PairsExchange(int slot, int rank, int ranks, Wire wire, int64_t most)
    : tag_(kFirstTag + kTags * slot), rank_(rank), ranks_(ranks), rounds_(wire == Wire::kBfloat16) {
  const int64_t all = LargestShare(most, ranks) * ranks;
  if (rounds_) {
    rounded_.resize(most);
    received_rounded_.resize(all);
  } else {
    received_.resize(all);
  }
}

void PairsExchange::Start(float* x, int64_t size, SumResult result) {
  x_ = x;
  size_ = size;
  result_ = result;
  if (rounds_) std::transform(x, x + size, rounded_.begin(), RoundToBfloat16);
  ForOthers([this](int from) {
    const int64_t share = ShareOf(rank_).size(), at = share * from;
    Receive(from, tag_, {at, at + share}, received_.data());
  });
  ForOthers([this](int to) { Send(to, tag_, ShareOf(to)); });
  stage_ = Stage::kShares;
}

bool PairsExchange::Advance() {
  if (!AllDone(requests_)) return false;
  if (stage_ == Stage::kShares) {
    AddShares();
    if (result_ == SumResult::kShares) {
      stage_ = Stage::kIdle;
      return true;
    }
    ForOthers([this](int from) { Receive(from, tag_ + 1, ShareOf(from), x_); });
    ForOthers([this](int to) { Send(to, tag_ + 1, ShareOf(rank_)); });
    stage_ = Stage::kSums;
    return true;
  }
  if (rounds_) TakeSums();
  stage_ = Stage::kIdle;
  return true;
}

// Begins with the next one, so that not all ranks talk to the same one first.
void PairsExchange::ForOthers(const std::function<void(int)>& action) const {
  for (int i = 1; i < ranks_; ++i) action((rank_ + i) % ranks_);
}

// Of x, or of what rounded_ has of it.
void PairsExchange::Send(int to, int tag, Range what) {
  const void* from =
      rounds_ ? static_cast<const void*>(rounded_.data() + what.begin) : x_ + what.begin;
  CheckMpi(MPI_Isend(from, static_cast<int>(what.size()), rounds_ ? MPI_UINT16_T : MPI_FLOAT, to,
                     tag, MPI_COMM_WORLD, &requests_.emplace_back(MPI_REQUEST_NULL)),
           "MPI_Isend");
}

// To a range of `place`, or of received_rounded_ where that is what travels.
void PairsExchange::Receive(int from, int tag, Range where, float* place) {
  void* to =
      rounds_ ? static_cast<void*>(received_rounded_.data() + where.begin) : place + where.begin;
  CheckMpi(MPI_Irecv(to, static_cast<int>(where.size()), rounds_ ? MPI_UINT16_T : MPI_FLOAT, from,
                     tag, MPI_COMM_WORLD, &requests_.emplace_back(MPI_REQUEST_NULL)),
           "MPI_Irecv");
}

// In the order of the ranks.
void PairsExchange::AddShares() {
  const Range mine = ShareOf(rank_);
  float* own = x_ + mine.begin;
  float share[kBlock], sum[kBlock];
  for (int64_t at = 0; at < mine.size(); at += kBlock) {
    const int64_t n = std::min<int64_t>(kBlock, mine.size() - at);
    std::fill_n(sum, n, 0.0f);
    for (int rank = 0; rank < ranks_; ++rank) {
      const int64_t theirs = static_cast<int64_t>(rank) * mine.size() + at;
      const float* from = rank == rank_ ? own + at : received_.data() + theirs;
      if (rounds_ && rank != rank_) {
        std::transform(received_rounded_.begin() + theirs, received_rounded_.begin() + theirs + n,
                       share, Widened);
        from = share;
      }
      for (int64_t i = 0; i < n; ++i) sum[i] += from[i];
    }
    std::copy_n(sum, n, own + at);
  }
  if (!rounds_) return;
  std::transform(own, own + mine.size(), rounded_.begin() + mine.begin, RoundToBfloat16);
  std::transform(rounded_.begin() + mine.begin, rounded_.begin() + mine.end, own, Widened);
}

void PairsExchange::TakeSums() {
  ForOthers([this](int from) {
    const Range theirs = ShareOf(from);
    std::transform(received_rounded_.begin() + theirs.begin, received_rounded_.begin() + theirs.end,
                   x_ + theirs.begin, Widened);
  });
}

HostsExchange::HostsExchange(int slot, int rank, const std::vector<int>& hosts, int64_t most)
    : tag_(kFirstTag + kTags * slot), owners_(Owners(hosts)) {
  size_t host = 0;
  while (first_ + hosts[host] <= rank) first_ += hosts[host++];
  local_ = rank - first_;
  locals_ = hosts[host];
  if (!is_owner()) return;
  if (host > 0) before_ = first_ - hosts[host - 1] + local_;
  if (host + 1 < hosts.size()) next_ = first_ + locals_ + local_;
  received_.resize((locals_ + 1) * LargestShare(most, owners_));
}

int HostsExchange::Owners(const std::vector<int>& hosts) { return std::ranges::min(hosts); }

void HostsExchange::Send(int to, Tag tag, const float* from, int64_t size,
                         std::vector<MPI_Request>& requests) {
  CheckMpi(MPI_Isend(from, static_cast<int>(size), MPI_FLOAT, to, tag_ + tag, MPI_COMM_WORLD,
                     &requests.emplace_back(MPI_REQUEST_NULL)),
           "MPI_Isend");
}

void HostsExchange::Receive(int from, Tag tag, float* to, int64_t size,
                            std::vector<MPI_Request>& requests) {
  CheckMpi(MPI_Irecv(to, static_cast<int>(size), MPI_FLOAT, from, tag_ + tag, MPI_COMM_WORLD,
                     &requests.emplace_back(MPI_REQUEST_NULL)),
           "MPI_Irecv");
}

// Begins with the next one, so that not all talk to the same one first.
void HostsExchange::ForPeers(int count, const std::function<void(int)>& action) const {
  for (int i = 0; i < count; ++i) {
    const int local = (local_ + i) % count;
    if (local != local_) action(local);
  }
}

void HostsExchange::Start(float* x, int64_t size, SumResult result) {
  if (result != SumResult::kWhole) throw std::logic_error("through hosts goes the whole sum");
  x_ = x;
  size_ = size;
  if (is_owner()) {
    const int64_t mine = ShareOf(local_).size();
    float* to = received_.data();
    if (before_ >= 0) Receive(before_, kUp, to + locals_ * mine, mine, requests_);
    ForPeers(locals_, [&](int from) {
      Receive(first_ + from, kContribution, to + from * mine, mine, requests_);
    });
  }
  ForPeers(owners_, [&](int to) {
    const Range share = ShareOf(to);
    Send(first_ + to, kContribution, x_ + share.begin, share.size(), requests_);
  });
  stage_ = Stage::kContributions;
}

// Where a rank receives sums, it has sent what stood there.
bool HostsExchange::Advance() {
  switch (stage_) {
    case Stage::kIdle:
      return false;
    case Stage::kContributions:
      if (!AllDone(requests_)) return false;
      ForPeers(owners_, [&](int from) {
        const Range share = ShareOf(from);
        Receive(first_ + from, kSum, x_ + share.begin, share.size(), requests_);
      });
      if (is_owner()) PassOn();
      stage_ = Stage::kResult;
      return true;
    case Stage::kResult:
      // Whoever has a sum sends it on before all others have come: they wait for it.
      if (!AllDone(next_host_requests_)) return false;
      if (is_owner()) {
        const Range mine = ShareOf(local_);
        if (before_ >= 0) Send(before_, kDown, x_ + mine.begin, mine.size(), requests_);
        ForPeers(locals_,
                 [&](int to) { Send(first_ + to, kSum, x_ + mine.begin, mine.size(), requests_); });
      }
      stage_ = Stage::kOthers;
      return true;
    case Stage::kOthers:
      if (!AllDone(requests_)) return false;
      stage_ = Stage::kIdle;
      return true;
  }
  return false;
}

// The sum so far to the next host, or to x on the last one.
void HostsExchange::PassOn() {
  const Range mine = ShareOf(local_);
  if (next_ < 0) return AddContributions(x_ + mine.begin);
  float* sum = received_.data() + locals_ * mine.size();
  AddContributions(sum);
  Send(next_, kUp, sum, mine.size(), next_host_requests_);
  Receive(next_, kDown, x_ + mine.begin, mine.size(), next_host_requests_);
}

// To what the host before has sent, in the order of the ranks.
void HostsExchange::AddContributions(float* to) {
  const Range mine = ShareOf(local_);
  const float *own = x_ + mine.begin, *before = received_.data() + locals_ * mine.size();
  float sum[kBlock];
  for (int64_t at = 0; at < mine.size(); at += kBlock) {
    const int64_t n = std::min<int64_t>(kBlock, mine.size() - at);
    before_ >= 0 ? std::copy_n(before + at, n, sum) : std::fill_n(sum, n, 0.0f);
    for (int local = 0; local < locals_; ++local) {
      const float* from = (local == local_ ? own : received_.data() + local * mine.size()) + at;
      for (int64_t i = 0; i < n; ++i) sum[i] += from[i];
    }
    std::copy_n(sum, n, to + at);
  }
}

}  // namespace lockstep::trainer
