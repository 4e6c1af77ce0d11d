#include "trainer/ranks/gradient_sum.h"

#include <algorithm>
#include <atomic>
#include <bit>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <memory>
#include <mutex>
#include <numeric>
#include <stdexcept>
#include <thread>
#include <vector>

#include <mpi.h>

#include "trainer/ranks/mpi_error.h"
#include "trainer/ranks/piece_exchange.h"
#include "worker/optimizers/clip.h"

namespace lockstep::trainer {
namespace {

// Of a piece, but for many ranks: then each rank's share of it is at least 16 KB.
constexpr int64_t kPieceFloats = int64_t{1} << 20, kLeastShare = int64_t{1} << 12;
constexpr int kMostUnderWay = 4;
// What hosts send each other in pairs, of a share.
constexpr int64_t kLeastPart = int64_t{1} << 10;
// Through hosts pieces are smaller and more of them under way: the last one has to go to the last
// host and back, and the network is busy only where two for each host are on that way. Together
// they take no more memory than the others can.
constexpr int kLeastThroughHosts = 16, kMostThroughHosts = 64;
constexpr int64_t kFloatsUnderWay = kPieceFloats * kMostUnderWay;
// How long the thread sleeps where nothing has moved: it shares a core with what computes.
constexpr auto kPause = std::chrono::milliseconds(1);
constexpr int kShareOutTag = PieceExchange::kFirstTag - 1;

using Range = worker::ParameterRange;

}  // namespace

struct GradientSum::Impl {
  Impl(Communicator& communicator_in, std::span<float> x_in, const SumForm& form,
       const std::vector<int>& hosts)
      : communicator(communicator_in),
        x(x_in),
        result(form.result),
        way(WayOf(hosts, communicator.size(), form)),
        place(PlaceOf(communicator.rank(), hosts)),
        count_of_hosts(static_cast<int>(hosts.size())),
        piece_floats(way.piece_floats),
        pieces((static_cast<int64_t>(x.size()) + piece_floats - 1) / piece_floats),
        row_width(form.table.width),
        row_pieces(row_width > piece_floats ? 0 : form.table.rows * row_width / piece_floats),
        pieces_to_send(pieces - row_pieces),
        ready_from(static_cast<int64_t>(x.size())) {
    const auto most = std::min<int64_t>(piece_floats, static_cast<int64_t>(x.size()));
    std::vector<int> all(communicator.size());
    std::iota(all.begin(), all.end(), 0);
    for (int slot = 0; slot < std::min<int64_t>(way.under_way, pieces); ++slot) {
      if (way.through_hosts) {
        slots.push_back(
            std::make_unique<HostsExchange>(slot, communicator.rank(), hosts, form, most));
      } else {
        slots.push_back(
            std::make_unique<PairsExchange>(slot, all, communicator.rank(), form.wire, most));
      }
    }
    staging.resize(row_pieces > 0 ? slots.size() : 0);
    for (std::vector<float>& rows : staging) rows.reserve(piece_floats);
    if (communicator.threads_may_call()) thread = std::thread([this] { Run(); });
  }

  // Pieces go from the end of x to its beginning.
  int64_t BeginOf(int64_t piece) const { return (pieces - 1 - piece) * piece_floats; }
  int64_t EndOf(int64_t piece) const {
    return std::min<int64_t>(static_cast<int64_t>(x.size()), BeginOf(piece) + piece_floats);
  }

  // Between ranks first, first + stride, ..., `count` of them, of which this one is number `own`:
  // each sends what share_of(own) is of y to all others, and gets theirs. The messages are under
  // way when this returns.
  template <class ShareOf>
  static void Exchange(float* y, int first, int stride, int count, int own, const ShareOf& share_of,
                       std::vector<MPI_Request>& requests) {
    const auto start = [&](int share, int other, auto call, const char* name) {
      const Range range = share_of(share);
      CheckMpi(
          call(y + range.begin, static_cast<int>(range.size()), MPI_FLOAT, first + other * stride,
               kShareOutTag, MPI_COMM_WORLD, &requests.emplace_back(MPI_REQUEST_NULL)),
          name);
    };
    for (int i = 1; i < count; ++i)
      start((own + i) % count, (own + i) % count, MPI_Irecv, "MPI_Irecv");
    for (int i = 1; i < count; ++i) start(own, (own + i) % count, MPI_Isend, "MPI_Isend");
  }

  // Of pieces from `piece` on, as many as are under way at a time: between hosts, or between all
  // ranks where nothing goes through hosts.
  void ShareOutBetweenHosts(float* y, int64_t piece, std::vector<MPI_Request>& requests) const {
    for (int64_t i = piece; i < std::min(pieces, piece + way.under_way); ++i) {
      const int64_t begin = BeginOf(i), size = EndOf(i) - begin;
      if (way.through_hosts) {
        const auto share = [&](int host) {
          return HostsExchange::ShareOfRank(size, place.local, place.locals, host, count_of_hosts);
        };
        Exchange(y + begin, place.local, place.locals, count_of_hosts, place.host, share, requests);
      } else {
        const int ranks = communicator.size();
        const auto share = [&](int rank) { return ShareOfPiece(size, rank, ranks); };
        Exchange(y + begin, 0, 1, ranks, communicator.rank(), share, requests);
      }
    }
  }

  // Of the same pieces, when what other hosts have of them is there.
  void ShareOutWithinHost(float* y, int64_t piece, std::vector<MPI_Request>& requests) const {
    for (int64_t i = piece; way.through_hosts && i < std::min(pieces, piece + way.under_way); ++i) {
      const int64_t begin = BeginOf(i), size = EndOf(i) - begin;
      const auto share = [&](int local) { return ShareOfPiece(size, local, place.locals); };
      Exchange(y + begin, place.first, 1, place.locals, place.local, share, requests);
    }
  }

  // Whether anything has moved. One thread at a time.
  bool Progress() {
    bool moved = false;
    for (; next < pieces_to_send && BeginOf(next) >= ready_from; ++next, moved = true) {
      PieceExchange& slot = *slots[next % std::ssize(slots)];
      if (slot.busy()) break;
      slot.Start(x.data() + BeginOf(next), EndOf(next) - BeginOf(next), result);
    }
    bool any = false;
    for (const auto& slot : slots) {
      if (slot->busy() && slot->Advance()) moved = true;
      any = any || slot->busy();
    }
    busy = any;
    return moved;
  }

  bool HasWork() const { return busy || (next < pieces_to_send && BeginOf(next) >= ready_from); }

  // A row of the table; what whole pieces have of it ends within the last one, perhaps.
  Range Row(int64_t row) const {
    const int64_t end = row_pieces * piece_floats;
    return {std::min(end, row * row_width), std::min(end, (row + 1) * row_width)};
  }

  // The rows that are not all zero on every rank, by their bits.
  std::vector<int64_t> TouchedRows() const {
    constexpr int64_t kBits = 64;
    const int64_t rows = (row_pieces * piece_floats + row_width - 1) / row_width;
    std::vector<uint64_t> bits((rows + kBits - 1) / kBits);
    for (int64_t row = 0; row < rows; ++row) {
      const Range range = Row(row);
      uint32_t any = 0;  // of all its bits: the compiler takes vectors of them
      for (int64_t i = range.begin; i < range.end; ++i) any |= std::bit_cast<uint32_t>(x[i]);
      if (any != 0) bits[row / kBits] |= uint64_t{1} << row % kBits;
    }
    CheckMpi(MPI_Allreduce(MPI_IN_PLACE, bits.data(), static_cast<int>(bits.size()), MPI_UINT64_T,
                           MPI_BOR, MPI_COMM_WORLD),
             "MPI_Allreduce");
    std::vector<int64_t> touched;
    for (int64_t row = 0; row < rows; ++row) {
      if ((bits[row / kBits] >> row % kBits & 1) != 0) touched.push_back(row);
    }
    return touched;
  }

  // What was put off: the table, by rows where these are few.
  void SumTable() {
    const std::vector<int64_t> rows = TouchedRows();
    if (2 * std::ssize(rows) * row_width > row_pieces * piece_floats) {
      pieces_to_send = pieces;
      while (HasWork()) Progress();
      pieces_to_send = pieces - row_pieces;
      summed += row_pieces * piece_floats;
      return;
    }
    struct Packed {
      size_t first = 0, end = 0;  // of `rows`
      bool under_way = false;
    };
    std::vector<Packed> packed(slots.size());
    size_t row = 0;
    for (int64_t piece = 0; row < rows.size() || AnyBusy();) {
      const int64_t slot = piece % std::ssize(slots);
      if (row < rows.size() && !slots[slot]->busy()) {
        const size_t first = row;
        staging[slot].clear();
        for (; row < rows.size() && std::ssize(staging[slot]) + row_width <= piece_floats; ++row) {
          const Range range = Row(rows[row]);
          staging[slot].insert(staging[slot].end(), x.begin() + range.begin, x.begin() + range.end);
        }
        packed[slot] = {first, row, true};
        summed += std::ssize(staging[slot]);
        slots[slot]->Start(staging[slot].data(), std::ssize(staging[slot]), SumResult::kWhole);
        ++piece;
      }
      for (size_t i = 0; i < slots.size(); ++i) {
        if (!packed[i].under_way) continue;
        slots[i]->Advance();
        if (slots[i]->busy()) continue;
        packed[i].under_way = false;
        auto from = staging[i].begin();
        for (size_t r = packed[i].first; r < packed[i].end; ++r) {
          const Range range = Row(rows[r]);
          std::copy_n(from, range.size(), x.begin() + range.begin);
          from += range.size();
        }
      }
    }
  }

  bool AnyBusy() const {
    return std::ranges::any_of(slots, [](const auto& slot) { return slot->busy(); });
  }

  void Run() {
    while (true) {
      {
        std::unique_lock lock(state);
        wake.wait(lock, [this] { return ending || (!finishing && HasWork()); });
        if (ending) return;
      }
      bool moved = true;
      {
        const std::lock_guard lock(calling);
        try {
          moved = Progress();
        } catch (...) {
          const std::lock_guard state_lock(state);
          failure = std::current_exception();
          return;
        }
      }
      if (!moved) std::this_thread::sleep_for(kPause);
    }
  }

  void RethrowFailure() {
    const std::lock_guard lock(state);
    if (failure) std::rethrow_exception(failure);
  }

  // Also wakes the thread, but where it is the caller who will go on.
  void Announce(int64_t offset, bool last) {
    {
      const std::lock_guard lock(state);
      if (failure) std::rethrow_exception(failure);
      ready_from = std::min<int64_t>(ready_from, offset);
      finishing = last;
    }
    if (!last) wake.notify_one();
  }

  Communicator& communicator;
  const std::span<float> x;
  const SumResult result;
  const Way way;
  const HostPlace place;
  const int count_of_hosts;
  const int64_t piece_floats, pieces;
  const int64_t row_width, row_pieces;  // of the table
  int64_t summed = 0;
  std::vector<std::vector<float>> staging;  // of each slot: rows, one behind another

  std::mutex calling;  // whoever holds it may call MPI
  // In a slot one piece follows another, on every rank, but which slot comes to its sums first
  // differs from rank to rank.
  std::vector<std::unique_ptr<PieceExchange>> slots;
  std::atomic<int64_t> next = 0;   // the first piece that has not gone out
  std::atomic<bool> busy = false;  // some slot is

  std::atomic<int64_t> pieces_to_send;

  std::mutex state;  // of what follows
  std::condition_variable wake;
  std::atomic<int64_t> ready_from;
  bool finishing = false;
  bool ending = false;
  std::exception_ptr failure;

  std::thread thread;
};

GradientSum::GradientSum(Communicator& communicator, std::span<float> x, const SumForm& form)
    : GradientSum(communicator, x, form, communicator.host_sizes()) {}

GradientSum::GradientSum(Communicator& communicator, std::span<float> x, const SumForm& form,
                         const std::vector<int>& hosts) {
  if (communicator.size() > 1) impl_ = std::make_unique<Impl>(communicator, x, form, hosts);
}

GradientSum::Way GradientSum::WayOf(const std::vector<int>& hosts, int ranks, const SumForm& form) {
  const Way pairs = {false, kMostUnderWay, PieceFloats(ranks)};
  const auto count = static_cast<int64_t>(hosts.size());
  if (count < 2) return pairs;
  // Where a host has few ranks, these alone would add for all: a host of one rank gains nothing.
  const int owners = HostsExchange::Owners(hosts);
  const bool shares = form.result == SumResult::kShares;
  if (owners < 2 || std::ranges::max(hosts) > (shares ? 1 : 2) * owners) return pairs;
  // In kBfloat16 the whole goes between hosts in pairs, else along a chain of them. How shares that
  // stay are cut does not depend on the wire.
  const bool in_pairs = form.wire == Wire::kBfloat16 && !shares;
  // What a rank with a share receives: those of its host, that of the host before, and the same
  // again, rounded, where hosts talk in pairs.
  const int64_t received = std::ranges::max(hosts) + (in_pairs || shares ? 2 : 1);
  // Where a share is cut once more, each host has as much of it.
  const int64_t unit = shares     ? worker::kNormBlock * count
                       : in_pairs ? kLeastPart * count
                                  : worker::kNormBlock;
  const int64_t most = std::min<int64_t>(kMostThroughHosts, kFloatsUnderWay / unit / received);
  if (most < (in_pairs ? kMostUnderWay : shares ? count : 2 * count)) return pairs;
  const int64_t wanted =
      in_pairs ? kLeastThroughHosts : std::max<int64_t>(4 * count, kLeastThroughHosts);
  const int64_t under_way = std::min(most, wanted);
  const int64_t share = kFloatsUnderWay / under_way / received / unit * unit;
  return {true, static_cast<int>(under_way), share * owners};
}

int64_t GradientSum::summed_floats() const { return impl_ ? impl_->summed : 0; }

GradientSum::~GradientSum() {
  if (!impl_) return;
  if (impl_->thread.joinable()) {
    {
      const std::lock_guard lock(impl_->state);
      impl_->ending = true;
    }
    impl_->wake.notify_one();
    impl_->thread.join();
  }
  // After an exception between Ready and Finish: MPI may still write what others send, until the
  // job has been ended.
  if (impl_->busy) static_cast<void>(impl_.release());
}

int64_t GradientSum::PieceFloats(int ranks) { return std::max(kPieceFloats, kLeastShare * ranks); }

int64_t GradientSum::Bytes(int64_t size, const std::vector<int>& hosts, int ranks,
                           const SumForm& form) {
  if (ranks == 1 || size == 0) return 0;
  const Way way = WayOf(hosts, ranks, form);
  const int64_t piece = std::min(way.piece_floats, size);
  const int64_t slots = std::min<int64_t>(way.under_way, (size + piece - 1) / piece);
  return slots * (way.through_hosts ? HostsExchange::Bytes(hosts, form, piece)
                                    : PairsExchange::Bytes(ranks, form.wire, piece));
}

std::vector<Range> GradientSum::SharesOf(int64_t size, int rank, const std::vector<int>& hosts,
                                         int ranks) {
  if (ranks == 1) return {{0, size}};
  const Way way = WayOf(hosts, ranks, {.result = SumResult::kShares});
  const HostPlace place = PlaceOf(rank, hosts);
  const int64_t most = way.piece_floats;
  std::vector<Range> shares;
  for (int64_t begin = 0; begin < size; begin += most) {
    const int64_t piece = std::min(most, size - begin);
    const Range share = way.through_hosts
                            ? HostsExchange::ShareOfRank(piece, place.local, place.locals,
                                                         place.host, static_cast<int>(hosts.size()))
                            : ShareOfPiece(piece, rank, ranks);
    if (share.size() > 0) shares.push_back({begin + share.begin, begin + share.end});
  }
  return shares;
}

void GradientSum::ShareOut(std::span<float> y) {
  if (!impl_) return;
  const Impl& impl = *impl_;
  if (impl.result != SumResult::kShares) throw std::logic_error("no rank has shares of its own");
  impl.communicator.Bounded("sharing out of weights", [&] {
    std::vector<MPI_Request> between, within;
    const auto wait = [](std::vector<MPI_Request>& requests) {
      CheckMpi(MPI_Waitall(static_cast<int>(requests.size()), requests.data(), MPI_STATUSES_IGNORE),
               "MPI_Waitall");
      requests.clear();
    };
    // The network has the next pieces while the ranks of a host have these.
    const int64_t some = impl.way.under_way;
    impl.ShareOutBetweenHosts(y.data(), 0, between);
    for (int64_t piece = 0; piece < impl.pieces; piece += some) {
      wait(between);
      impl.ShareOutBetweenHosts(y.data(), piece + some, between);
      impl.ShareOutWithinHost(y.data(), piece, within);
      wait(within);
    }
  });
}

void GradientSum::Ready(int64_t offset) {
  if (impl_ && impl_->thread.joinable()) impl_->Announce(offset, false);
}

void GradientSum::Finish() {
  if (!impl_) return;
  Impl& impl = *impl_;
  impl.communicator.Bounded("sum of gradients", [&impl] {
    impl.Announce(0, true);
    const std::lock_guard calling(impl.calling);
    impl.RethrowFailure();
    while (impl.HasWork()) impl.Progress();
    impl.summed = static_cast<int64_t>(impl.x.size()) - impl.row_pieces * impl.piece_floats;
    if (impl.row_pieces > 0) impl.SumTable();
    const std::lock_guard lock(impl.state);
    impl.next = 0;
    impl.ready_from = static_cast<int64_t>(impl.x.size());
    impl.finishing = false;
  });
}

}  // namespace lockstep::trainer
