#include "trainer/ranks/gradient_sum.h"

#include <algorithm>
#include <array>
#include <atomic>
#include <bit>
#include <chrono>
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <thread>
#include <vector>

#include <mpi.h>

#include "trainer/ranks/mpi_error.h"
#include "worker/optimizers/clip.h"
#include "worker/products/bfloat16.h"

namespace lockstep::trainer {
namespace {

// Of a piece, but for many ranks: then each rank's share of it is at least 16 KB.
constexpr int64_t kPieceFloats = int64_t{1} << 20, kLeastShare = int64_t{1} << 12;
constexpr int kMostUnderWay = 4;
// How long the thread sleeps where nothing has moved: it shares a core with what computes.
constexpr auto kPause = std::chrono::milliseconds(1);
// Tags of this file's messages begin here, two for each slot: in a slot one piece follows another,
// on every rank, but which slot comes to its sums first differs from rank to rank.
constexpr int kFirstTag = 100;
constexpr int kShareOutTag = kFirstTag + 2 * kMostUnderWay;

using Range = worker::ParameterRange;

// A rank's part of a piece. Its blocks are those of the whole array, whose pieces are made of them.
Range ShareOfPiece(int64_t size, int rank, int ranks) {
  const int64_t blocks = (size + worker::kNormBlock - 1) / worker::kNormBlock;
  const auto cut = [&](int64_t at) {
    return std::min(size, blocks * at / ranks * worker::kNormBlock);
  };
  return {cut(rank), cut(rank + 1)};
}

// The largest one.
int64_t LargestShare(int64_t size, int ranks) {
  const int64_t blocks = (size + worker::kNormBlock - 1) / worker::kNormBlock;
  return std::min(size, (blocks + ranks - 1) / ranks * worker::kNormBlock);
}

using worker::Bfloat16;
using worker::RoundToBfloat16;
using worker::Widened;

// A piece on its way.
class Exchange {
 public:
  // For pieces of at most `most` floats.
  void Prepare(int slot, int rank, int ranks, Wire wire, int64_t most) {
    tag_ = kFirstTag + 2 * slot;
    rank_ = rank;
    ranks_ = ranks;
    rounds_ = wire == Wire::kBfloat16;
    const int64_t all = LargestShare(most, ranks) * ranks;
    if (rounds_) {
      rounded_.resize(most);
      received_rounded_.resize(all);
    } else {
      received_.resize(all);
    }
  }

  bool busy() const { return stage_ != Stage::kIdle; }

  void Start(float* x, int64_t size, SumResult result) {
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

  // Whether it has come a stage further.
  bool Advance() {
    int done = 0;
    CheckMpi(MPI_Testall(static_cast<int>(requests_.size()), requests_.data(), &done,
                         MPI_STATUSES_IGNORE),
             "MPI_Testall");
    if (!done) return false;
    requests_.clear();
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

 private:
  enum class Stage { kIdle, kShares, kSums };

  Range ShareOf(int rank) const { return ShareOfPiece(size_, rank, ranks_); }

  // Begins with the next one, so that not all ranks talk to the same one first.
  void ForOthers(const std::function<void(int)>& action) const {
    for (int i = 1; i < ranks_; ++i) action((rank_ + i) % ranks_);
  }

  // Of x, or of what rounded_ has of it.
  void Send(int to, int tag, Range what) {
    const void* from =
        rounds_ ? static_cast<const void*>(rounded_.data() + what.begin) : x_ + what.begin;
    CheckMpi(MPI_Isend(from, static_cast<int>(what.size()), type(), to, tag, MPI_COMM_WORLD,
                       &requests_.emplace_back(MPI_REQUEST_NULL)),
             "MPI_Isend");
  }

  // To a range of `place`, or of received_rounded_ where that is what travels.
  void Receive(int from, int tag, Range where, float* place) {
    void* to =
        rounds_ ? static_cast<void*>(received_rounded_.data() + where.begin) : place + where.begin;
    CheckMpi(MPI_Irecv(to, static_cast<int>(where.size()), type(), from, tag, MPI_COMM_WORLD,
                       &requests_.emplace_back(MPI_REQUEST_NULL)),
             "MPI_Irecv");
  }

  MPI_Datatype type() const { return rounds_ ? MPI_UINT16_T : MPI_FLOAT; }

  // In the order of the ranks, block by block, so that the sums stay in the first cache level.
  void AddShares() {
    constexpr int64_t kBlock = 2048;
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

  void TakeSums() {
    ForOthers([this](int from) {
      const Range theirs = ShareOf(from);
      std::transform(received_rounded_.begin() + theirs.begin,
                     received_rounded_.begin() + theirs.end, x_ + theirs.begin, Widened);
    });
  }

  int tag_ = 0, rank_ = 0, ranks_ = 1;
  bool rounds_ = false;
  SumResult result_ = SumResult::kWhole;
  Stage stage_ = Stage::kIdle;
  float* x_ = nullptr;
  int64_t size_ = 0;
  std::vector<float> received_;  // [ranks, share]; the own one's place stays unused
  std::vector<Bfloat16> rounded_, received_rounded_;
  std::vector<MPI_Request> requests_;
};

}  // namespace

struct GradientSum::Impl {
  Impl(Communicator& communicator_in, std::span<float> x_in, const SumForm& form)
      : communicator(communicator_in),
        x(x_in),
        result(form.result),
        piece_floats(GradientSum::PieceFloats(communicator.size())),
        pieces((static_cast<int64_t>(x.size()) + piece_floats - 1) / piece_floats),
        row_width(form.table.width),
        row_pieces(row_width > piece_floats ? 0 : form.table.rows * row_width / piece_floats),
        pieces_to_send(pieces - row_pieces),
        ready_from(static_cast<int64_t>(x.size())) {
    for (int slot = 0; slot < std::min<int64_t>(kMostUnderWay, pieces); ++slot) {
      slots[slot].Prepare(slot, communicator.rank(), communicator.size(), form.wire,
                          std::min<int64_t>(piece_floats, static_cast<int64_t>(x.size())));
    }
    if (communicator.threads_may_call()) thread = std::thread([this] { Run(); });
  }

  // Pieces go from the end of x to its beginning.
  int64_t BeginOf(int64_t piece) const { return (pieces - 1 - piece) * piece_floats; }
  int64_t EndOf(int64_t piece) const {
    return std::min<int64_t>(static_cast<int64_t>(x.size()), BeginOf(piece) + piece_floats);
  }

  // Of one piece; its messages are under way when this returns.
  void ShareOut(float* y, int64_t size, std::vector<MPI_Request>* requests) const {
    const int rank = communicator.rank(), ranks = communicator.size();
    const auto start = [&](Range range, int other, auto call, const char* name) {
      CheckMpi(call(y + range.begin, static_cast<int>(range.size()), MPI_FLOAT, other, kShareOutTag,
                    MPI_COMM_WORLD, &requests->emplace_back(MPI_REQUEST_NULL)),
               name);
    };
    for (int i = 1; i < ranks; ++i) {
      const int from = (rank + i) % ranks;
      start(ShareOfPiece(size, from, ranks), from, MPI_Irecv, "MPI_Irecv");
    }
    for (int i = 1; i < ranks; ++i) {
      start(ShareOfPiece(size, rank, ranks), (rank + i) % ranks, MPI_Isend, "MPI_Isend");
    }
  }

  // Whether anything has moved. One thread at a time.
  bool Progress() {
    bool moved = false;
    for (; next < pieces_to_send && BeginOf(next) >= ready_from; ++next, moved = true) {
      Exchange& slot = slots[next % kMostUnderWay];
      if (slot.busy()) break;
      slot.Start(x.data() + BeginOf(next), EndOf(next) - BeginOf(next), result);
    }
    bool any = false;
    for (Exchange& slot : slots) {
      if (slot.busy() && slot.Advance()) moved = true;
      any = any || slot.busy();
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
    std::array<Packed, kMostUnderWay> packed;
    size_t row = 0;
    for (int64_t piece = 0; row < rows.size() || AnyBusy();) {
      const int64_t slot = piece % kMostUnderWay;
      if (row < rows.size() && !slots[slot].busy()) {
        const size_t first = row;
        staging[slot].clear();
        for (; row < rows.size() && std::ssize(staging[slot]) + row_width <= piece_floats; ++row) {
          const Range range = Row(rows[row]);
          staging[slot].insert(staging[slot].end(), x.begin() + range.begin, x.begin() + range.end);
        }
        packed[slot] = {first, row, true};
        summed += std::ssize(staging[slot]);
        slots[slot].Start(staging[slot].data(), std::ssize(staging[slot]), SumResult::kWhole);
        ++piece;
      }
      for (int i = 0; i < kMostUnderWay; ++i) {
        if (!packed[i].under_way) continue;
        slots[i].Advance();
        if (slots[i].busy()) continue;
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
    return std::ranges::any_of(slots, [](const Exchange& slot) { return slot.busy(); });
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
  const int64_t piece_floats, pieces;
  const int64_t row_width, row_pieces;  // of the table
  int64_t summed = 0;
  std::array<std::vector<float>, kMostUnderWay> staging;  // rows, one behind another

  std::mutex calling;  // whoever holds it may call MPI
  std::array<Exchange, kMostUnderWay> slots;
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

GradientSum::GradientSum(Communicator& communicator, std::span<float> x, const SumForm& form) {
  if (communicator.size() > 1) impl_ = std::make_unique<Impl>(communicator, x, form);
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

int64_t GradientSum::Bytes(int64_t size, int ranks) {
  if (ranks == 1) return 0;
  const int64_t piece = std::min(PieceFloats(ranks), size);
  const int64_t under_way =
      piece == 0 ? 0 : std::min<int64_t>(kMostUnderWay, (size + piece - 1) / piece);
  return under_way * LargestShare(piece, ranks) * ranks * static_cast<int64_t>(sizeof(float));
}

std::vector<Range> GradientSum::SharesOf(int64_t size, int rank, int ranks) {
  if (ranks == 1) return {{0, size}};
  const int64_t most = PieceFloats(ranks);
  std::vector<Range> shares;
  for (int64_t begin = 0; begin < size; begin += most) {
    const Range share = ShareOfPiece(std::min(most, size - begin), rank, ranks);
    if (share.size() > 0) shares.push_back({begin + share.begin, begin + share.end});
  }
  return shares;
}

void GradientSum::ShareOut(std::span<float> y) {
  if (!impl_) return;
  const Impl& impl = *impl_;
  impl.communicator.Bounded("sharing out of weights", [&] {
    std::vector<MPI_Request> requests;
    for (int64_t piece = 0; piece < impl.pieces; ++piece) {
      const int64_t begin = impl.BeginOf(piece);
      impl.ShareOut(y.data() + begin, impl.EndOf(piece) - begin, &requests);
      if ((piece + 1) % kMostUnderWay != 0 && piece + 1 < impl.pieces) continue;
      CheckMpi(MPI_Waitall(static_cast<int>(requests.size()), requests.data(), MPI_STATUSES_IGNORE),
               "MPI_Waitall");
      requests.clear();
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
