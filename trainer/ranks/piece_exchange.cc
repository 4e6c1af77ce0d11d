#include "trainer/ranks/piece_exchange.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

#include "trainer/ranks/mpi_error.h"
#include "worker/optimizers/clip.h"

namespace lockstep::trainer {

using Range = worker::ParameterRange;
using worker::Bfloat16;
using worker::RoundToBfloat16;
using worker::Widened;

namespace {

bool AllDone(std::vector<MPI_Request>& requests) {
  int done = 0;
  CheckMpi(
      MPI_Testall(static_cast<int>(requests.size()), requests.data(), &done, MPI_STATUSES_IGNORE),
      "MPI_Testall");
  if (done) requests.clear();
  return done != 0;
}

void Send(const void* from, int64_t size, MPI_Datatype type, int to, int tag,
          std::vector<MPI_Request>& requests) {
  CheckMpi(MPI_Isend(from, static_cast<int>(size), type, to, tag, MPI_COMM_WORLD,
                     &requests.emplace_back(MPI_REQUEST_NULL)),
           "MPI_Isend");
}

void Receive(void* to, int64_t size, MPI_Datatype type, int from, int tag,
             std::vector<MPI_Request>& requests) {
  CheckMpi(MPI_Irecv(to, static_cast<int>(size), type, from, tag, MPI_COMM_WORLD,
                     &requests.emplace_back(MPI_REQUEST_NULL)),
           "MPI_Irecv");
}

// Of 0 to count - 1, but for `own`. Begins behind it, so that not all talk to the same one first.
template <class Action>
void ForOthers(int own, int count, const Action& action) {
  for (int i = 1; i <= count; ++i) {
    const int other = (own + i) % count;
    if (other != own) action(other);
  }
}

// to = start (nullptr: 0) + what part(i, at, n) has for each i in turn, n floats from `at` on; `to`
// may be one of them. In blocks, so that the sums stay in the first cache level.
constexpr int64_t kBlock = 2048;
template <class Part>
void AddInOrder(int64_t size, const float* start, int parts, const Part& part, float* to) {
  float sum[kBlock];
  for (int64_t at = 0; at < size; at += kBlock) {
    const int64_t n = std::min(kBlock, size - at);
    start ? std::copy_n(start + at, n, sum) : std::fill_n(sum, n, 0.0f);
    for (int i = 0; i < parts; ++i) {
      const float* from = part(i, at, n);
      for (int64_t j = 0; j < n; ++j) sum[j] += from[j];
    }
    std::copy_n(sum, n, to + at);
  }
}

}  // namespace

Range ShareOfPiece(int64_t size, int part, int parts, int64_t grain) {
  const int64_t blocks = (size + grain - 1) / grain;
  const auto cut = [&](int64_t at) { return std::min(size, blocks * at / parts * grain); };
  return {cut(part), cut(part + 1)};
}

int64_t LargestShare(int64_t size, int parts, int64_t grain) {
  const int64_t blocks = (size + grain - 1) / grain;
  return std::min(size, (blocks + parts - 1) / parts * grain);
}

HostPlace PlaceOf(int rank, const std::vector<int>& hosts) {
  HostPlace place;
  for (const int ranks : hosts) {
    place.locals = ranks;
    place.local = rank - place.first;
    if (place.local < ranks) break;
    place.first += ranks;
    ++place.host;
  }
  return place;
}

PairsExchange::PairsExchange(int slot, std::vector<int> ranks, int own, Wire wire, int64_t most,
                             int64_t grain)
    : tag_(kFirstTag + kTags * slot),
      ranks_(std::move(ranks)),
      own_(own),
      count_(static_cast<int>(ranks_.size())),
      rounds_(wire == Wire::kBfloat16),
      grain_(grain) {
  const int64_t all = LargestShare(most, count_, grain_) * count_;
  if (rounds_) {
    rounded_.resize(most);
    received_rounded_.resize(all);
  } else {
    received_.resize(all);
  }
}

int64_t PairsExchange::Bytes(int ranks, Wire wire, int64_t most, int64_t grain) {
  const int64_t all = LargestShare(most, ranks, grain) * ranks;
  return wire == Wire::kBfloat16 ? (most + all) * static_cast<int64_t>(sizeof(Bfloat16))
                                 : all * static_cast<int64_t>(sizeof(float));
}

void PairsExchange::Start(float* x, int64_t size, SumResult result) {
  x_ = x;
  size_ = size;
  result_ = result;
  if (rounds_) std::transform(x, x + size, rounded_.begin(), RoundToBfloat16);
  ForOthers(own_, count_, [this](int from) {
    const int64_t share = ShareOf(own_).size(), at = share * from;
    ReceivePart(from, tag_, {at, at + share}, received_.data());
  });
  ForOthers(own_, count_, [this](int to) { SendPart(to, tag_, ShareOf(to)); });
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
    ForOthers(own_, count_, [this](int from) { ReceivePart(from, tag_ + 1, ShareOf(from), x_); });
    ForOthers(own_, count_, [this](int to) { SendPart(to, tag_ + 1, ShareOf(own_)); });
    stage_ = Stage::kSums;
    return true;
  }
  if (rounds_) TakeSums();
  stage_ = Stage::kIdle;
  return true;
}

// Of x, or of what rounded_ has of it.
void PairsExchange::SendPart(int to, int tag, Range what) {
  if (rounds_) {
    return Send(rounded_.data() + what.begin, what.size(), MPI_UINT16_T, ranks_[to], tag,
                requests_);
  }
  Send(x_ + what.begin, what.size(), MPI_FLOAT, ranks_[to], tag, requests_);
}

// To a range of `place`, or of received_rounded_ where that is what travels.
void PairsExchange::ReceivePart(int from, int tag, Range where, float* place) {
  if (rounds_) {
    return Receive(received_rounded_.data() + where.begin, where.size(), MPI_UINT16_T, ranks_[from],
                   tag, requests_);
  }
  Receive(place + where.begin, where.size(), MPI_FLOAT, ranks_[from], tag, requests_);
}

void PairsExchange::AddShares() {
  const Range mine = ShareOf(own_);
  float* own = x_ + mine.begin;
  float widened[kBlock];
  const auto share = [&](int number, int64_t at, int64_t n) -> const float* {
    const int64_t theirs = number * mine.size() + at;
    if (!rounds_) return number == own_ ? own + at : received_.data() + theirs;
    // The own one is rounded as well: sums do not depend on who takes them.
    const Bfloat16* from =
        number == own_ ? rounded_.data() + mine.begin + at : received_rounded_.data() + theirs;
    std::transform(from, from + n, widened, Widened);
    return widened;
  };
  AddInOrder(mine.size(), nullptr, count_, share, own);
  if (!rounds_) return;
  std::transform(own, own + mine.size(), rounded_.begin() + mine.begin, RoundToBfloat16);
  std::transform(rounded_.begin() + mine.begin, rounded_.begin() + mine.end, own, Widened);
}

void PairsExchange::TakeSums() {
  ForOthers(own_, count_, [this](int from) {
    const Range theirs = ShareOf(from);
    std::transform(received_rounded_.begin() + theirs.begin, received_rounded_.begin() + theirs.end,
                   x_ + theirs.begin, Widened);
  });
}

HostsExchange::HostsExchange(int slot, int rank, const std::vector<int>& hosts, const SumForm& form,
                             int64_t most)
    : tag_(kFirstTag + kTags * slot),
      owners_(Owners(hosts)),
      hosts_(static_cast<int>(hosts.size())),
      grain_(GrainOf(form.result)),
      place_(PlaceOf(rank, hosts)) {
  if (!is_owner()) return;
  const int64_t share = LargestShare(most, owners_, grain_);
  received_.resize((place_.locals + 1) * share);
  if (form.wire == Wire::kBfloat16) {
    std::vector<int> owners(hosts.size(), place_.local);
    for (size_t i = 1; i < hosts.size(); ++i) owners[i] = owners[i - 1] + hosts[i - 1];
    between_ = std::make_unique<PairsExchange>(slot, owners, place_.host, form.wire, share, grain_);
    return;
  }
  if (place_.host > 0) before_ = place_.first - hosts[place_.host - 1] + place_.local;
  if (place_.host + 1 < hosts_) next_ = place_.first + place_.locals + place_.local;
}

int64_t HostsExchange::Bytes(const std::vector<int>& hosts, const SumForm& form, int64_t most) {
  const int64_t grain = GrainOf(form.result), share = LargestShare(most, Owners(hosts), grain);
  const auto count = static_cast<int>(hosts.size());
  const int64_t between =
      form.wire == Wire::kBfloat16 ? PairsExchange::Bytes(count, form.wire, share, grain) : 0;
  return (std::ranges::max(hosts) + 1) * share * static_cast<int64_t>(sizeof(float)) + between;
}

int HostsExchange::Owners(const std::vector<int>& hosts) { return std::ranges::min(hosts); }

Range HostsExchange::ShareOfRank(int64_t size, int local, int locals, int host, int hosts) {
  const Range share = ShareOfPiece(size, local, locals);
  const Range part = ShareOfPiece(share.size(), host, hosts);
  return {share.begin + part.begin, share.begin + part.end};
}

void HostsExchange::Start(float* x, int64_t size, SumResult result) {
  x_ = x;
  size_ = size;
  result_ = result;
  if (is_owner()) {
    const int64_t mine = ShareOf(place_.local).size();
    float* to = received_.data();
    if (before_ >= 0)
      Receive(to + place_.locals * mine, mine, MPI_FLOAT, before_, tag_ + kUp, requests_);
    ForOthers(place_.local, place_.locals, [&](int from) {
      Receive(to + from * mine, mine, MPI_FLOAT, place_.first + from, tag_ + kContribution,
              requests_);
    });
  }
  ForOthers(place_.local, owners_, [&](int to) {
    const Range share = ShareOf(to);
    Send(x_ + share.begin, share.size(), MPI_FLOAT, place_.first + to, tag_ + kContribution,
         requests_);
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
      if (result_ == SumResult::kWhole) {
        ForOthers(place_.local, owners_, [&](int from) {
          const Range share = ShareOf(from);
          Receive(x_ + share.begin, share.size(), MPI_FLOAT, place_.first + from, tag_ + kSum,
                  requests_);
        });
      }
      if (is_owner()) PassOn();
      stage_ = Stage::kResult;
      return true;
    case Stage::kResult:
      // Whoever has a sum sends it on before all others have come: they wait for it.
      if (between_ && between_->busy()) {
        const bool moved = between_->Advance();
        if (between_->busy()) return moved;
      }
      if (!AllDone(next_host_requests_)) return false;
      if (is_owner() && result_ == SumResult::kWhole) {
        const Range mine = ShareOf(place_.local);
        if (before_ >= 0)
          Send(x_ + mine.begin, mine.size(), MPI_FLOAT, before_, tag_ + kDown, requests_);
        ForOthers(place_.local, place_.locals, [&](int to) {
          Send(x_ + mine.begin, mine.size(), MPI_FLOAT, place_.first + to, tag_ + kSum, requests_);
        });
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

// The sum so far to the next host, or to x on the last one, which sends the others their parts
// where these are all that is needed; or the host's own to all others.
void HostsExchange::PassOn() {
  const Range mine = ShareOf(place_.local);
  const bool whole = result_ == SumResult::kWhole;
  if (between_) {
    AddContributions(x_ + mine.begin);
    return between_->Start(x_ + mine.begin, mine.size(), result_);
  }
  if (next_ < 0) {
    AddContributions(x_ + mine.begin);
    for (int host = 0; !whole && host < place_.host; ++host) {
      const Range part = PartOf(host);
      Send(x_ + part.begin, part.size(), MPI_FLOAT, host * place_.locals + place_.local,
           tag_ + kDown, requests_);
    }
    return;
  }
  float* sum = received_.data() + place_.locals * mine.size();
  AddContributions(sum);
  Send(sum, mine.size(), MPI_FLOAT, next_, tag_ + kUp, next_host_requests_);
  const Range back = whole ? mine : PartOf(place_.host);
  const int from = whole ? next_ : (hosts_ - 1) * place_.locals + place_.local;
  Receive(x_ + back.begin, back.size(), MPI_FLOAT, from, tag_ + kDown, next_host_requests_);
}

// To what the host before has sent.
void HostsExchange::AddContributions(float* to) {
  const Range mine = ShareOf(place_.local);
  const float* received = received_.data();
  const auto contribution = [&](int local, int64_t at, int64_t) {
    return (local == place_.local ? x_ + mine.begin : received + local * mine.size()) + at;
  };
  AddInOrder(mine.size(), before_ >= 0 ? received + place_.locals * mine.size() : nullptr,
             place_.locals, contribution, to);
}

}  // namespace lockstep::trainer
