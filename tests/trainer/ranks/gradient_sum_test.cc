#include "trainer/ranks/gradient_sum.h"

#include <algorithm>
#include <atomic>
#include <chrono>
#include <cmath>
#include <limits>
#include <numeric>
#include <span>
#include <thread>
#include <tuple>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/trainer/ranks/world.h"
#include "trainer/ranks/piece_exchange.h"
#include "worker/optimizers/clip.h"

namespace lockstep::trainer {
namespace {

constexpr int64_t kSeveralPieces = 3'300'001;

// Numbers whose sum depends on the order that it is taken in.
float Value(int rank, int64_t i, int turn) {
  return std::sin(static_cast<float>(i % 1013 + 7 * turn + 1)) *
         std::pow(10.0f, static_cast<float>((rank + i) % 3));
}

float Expected(int64_t i, int turn) {
  float sum = Value(0, i, turn);
  for (int rank = 1; rank < world->size(); ++rank) sum += Value(rank, i, turn);
  return sum;
}

void Fill(std::vector<float>& x, int64_t begin, int64_t end, int turn) {
  for (int64_t i = begin; i < end; ++i) x[i] = Value(world->rank(), i, turn);
}

// How many elements are not the sum in the order of the ranks, bit for bit.
int64_t Wrong(const std::vector<float>& x, int turn) {
  int64_t wrong = 0;
  for (int64_t i = 0; i < std::ssize(x); ++i) wrong += x[i] != Expected(i, turn);
  return wrong;
}

TEST(GradientSumTest, IsInTheOrderOfTheRanks) {
  for (const int64_t size : {int64_t{0}, int64_t{1}, int64_t{3}, int64_t{10'007}, kSeveralPieces}) {
    std::vector<float> x(size);
    GradientSum sum(*world, x);
    for (int turn = 0; turn < 2; ++turn) {
      Fill(x, 0, size, turn);
      sum.Finish();
      EXPECT_EQ(Wrong(x, turn), 0) << size;
    }
  }
}

// The hosts that these ranks are taken to be on: six of them on several, all others on this one.
std::vector<std::vector<int>> HostsOfThisWorld() {
  if (world->size() == 6) return {{2, 2, 2}, {4, 2}, {2, 4}};
  return {{}};
}

// Bit for bit, however many hosts there are and how many ranks on each: also where some have no
// share of their own.
TEST(GradientSumTest, ThroughHostsIsTheSame) {
  for (const auto& hosts : HostsOfThisWorld()) {
    EXPECT_EQ(GradientSum::WayOf(hosts, world->size(), {}).through_hosts, !hosts.empty());
    for (const int64_t size : {int64_t{0}, int64_t{1}, int64_t{10'007}, kSeveralPieces}) {
      std::vector<float> x(size);
      GradientSum sum(*world, x, {}, hosts);
      for (int turn = 0; turn < 3; ++turn) {
        Fill(x, 0, size, turn);
        if (world->rank() != turn % 2) sum.Ready(size / 2);
        if (world->rank() == turn) std::this_thread::sleep_for(std::chrono::milliseconds(3));
        sum.Finish();
        EXPECT_EQ(Wrong(x, turn), 0) << testing::PrintToString(hosts) << " " << size;
      }
    }
    // A table, of which few rows travel.
    constexpr int64_t kWidth = 50, kRows = 60'000;
    std::vector<float> x(kSeveralPieces);
    GradientSum rows(*world, x, {.table = {kRows, kWidth}}, hosts);
    for (int64_t row = 0; row < kRows; row += 400) Fill(x, row * kWidth, (row + 1) * kWidth, 1);
    Fill(x, kRows * kWidth, kSeveralPieces, 1);
    rows.Finish();
    int64_t wrong = 0;
    for (int64_t i = 0; i < kSeveralPieces; ++i) {
      const bool touched = i >= kRows * kWidth || i / kWidth % 400 == 0;
      wrong += x[i] != (touched ? Expected(i, 1) : 0.0f);
    }
    EXPECT_EQ(wrong, 0);
    EXPECT_LT(rows.summed_floats(), kSeveralPieces / 2);
  }
}

// In pairs no host sends or adds more than the others.
void ExpectHostsShareAlike(const GradientSum::Way& way, int hosts, int ranks, SumResult result) {
  const int64_t share = LargestShare(way.piece_floats, ranks, GrainOf(result));
  EXPECT_EQ(share, way.piece_floats / ranks);
  for (int host = 0; host < hosts; ++host) {
    EXPECT_EQ(ShareOfPiece(share, host, hosts, GrainOf(result)).size() * hosts, share) << host;
  }
}

// What pieces that are under way take, on any hosts; and who goes through hosts at all.
TEST(GradientSumTest, ThroughHostsTakesNoMoreMemory) {
  for (const int hosts : {2, 3, 8, 20, 32, 33, 500}) {
    for (const int ranks : {1, 2, 5, 16, 64, 300}) {
      const std::vector<int> sizes(hosts, ranks);
      const auto way = GradientSum::WayOf(sizes, hosts * ranks, {});
      SCOPED_TRACE(testing::Message() << hosts << " hosts of " << ranks);
      if (way.through_hosts) {
        EXPECT_GE(ranks, 2);
        EXPECT_GE(way.under_way, 2 * hosts);
        const int64_t share = way.piece_floats / ranks;
        EXPECT_GE(share, 4096);
        EXPECT_LE(way.under_way * share * (ranks + 1), 4 << 20);
        EXPECT_EQ(GradientSum::Bytes(1 << 30, sizes, hosts * ranks, {}),
                  way.under_way * share * (ranks + 1) * 4);
        // One piece, of one share: a host's contributions and what the one before has sent.
        EXPECT_EQ(GradientSum::Bytes(1000, sizes, hosts * ranks, {}),
                  LargestShare(1000, ranks, 64) * 4 * (ranks + 1));
      } else {
        EXPECT_TRUE(ranks == 1 || hosts > 32 || hosts * ranks > 500);
      }
      const SumForm rounded = {.wire = Wire::kBfloat16};
      const auto bf16 = GradientSum::WayOf(sizes, hosts * ranks, rounded);
      EXPECT_GE(bf16.through_hosts, way.through_hosts);
      if (bf16.through_hosts) {
        EXPECT_GE(bf16.under_way, 4);
        ExpectHostsShareAlike(bf16, hosts, ranks, SumResult::kWhole);
        EXPECT_LE(GradientSum::Bytes(1 << 30, sizes, hosts * ranks, rounded), 16 << 20);
      }
      const SumForm shares = {.result = SumResult::kShares};
      const auto own = GradientSum::WayOf(sizes, hosts * ranks, shares);
      if (own.through_hosts) {
        EXPECT_TRUE(way.through_hosts);
        EXPECT_GE(own.under_way, hosts);
        const int64_t share = own.piece_floats / ranks;
        EXPECT_EQ(share % (hosts * worker::kNormBlock), 0);  // as much for each
        EXPECT_GT(share, 0);
        EXPECT_LE(own.under_way * share * (ranks + 2), 4 << 20);
        EXPECT_EQ(GradientSum::Bytes(1 << 30, sizes, hosts * ranks, shares),
                  own.under_way * share * (ranks + 1) * 4);
        const SumForm both = {rounded.wire, shares.result};
        EXPECT_EQ(GradientSum::WayOf(sizes, hosts * ranks, both).piece_floats, own.piece_floats);
        EXPECT_LE(GradientSum::Bytes(1 << 30, sizes, hosts * ranks, both), 16 << 20);
        ExpectHostsShareAlike(own, hosts, ranks, SumResult::kShares);
      }
    }
  }
  for (const auto& [hosts, ranks, through] : {std::tuple{2, 2, true},
                                              {13, 4, true},
                                              {14, 4, false},
                                              {10, 8, true},
                                              {11, 8, false},
                                              {7, 16, true},
                                              {8, 16, false},
                                              {2, 1, false}}) {
    const std::vector<int> sizes(hosts, ranks);
    EXPECT_EQ(
        GradientSum::WayOf(sizes, hosts * ranks, {.result = SumResult::kShares}).through_hosts,
        through)
        << hosts << " of " << ranks;
  }
  EXPECT_FALSE(GradientSum::WayOf({3, 2}, 5, {.result = SumResult::kShares}).through_hosts);
  for (const auto& [hosts, through] : {std::pair<std::vector<int>, bool>{{}, false},
                                       {{8}, false},
                                       {{7, 1}, false},
                                       {{5, 2}, false},
                                       {{4, 2, 3}, true}}) {
    EXPECT_EQ(GradientSum::WayOf(hosts, 8, {}).through_hosts, through);
  }
}

// Every float is one rank's, in whole blocks of the norm.
TEST(GradientSumTest, SharesMakeUpTheWhole) {
  for (const int64_t size : {int64_t{0}, int64_t{3}, int64_t{10'007}, kSeveralPieces}) {
    for (const std::vector<int>& hosts : {std::vector<int>{1},
                                          {2},
                                          {1, 1, 1},
                                          std::vector<int>(300, 1),
                                          {2, 2, 2},
                                          {4, 4},
                                          {3, 2}}) {
      const int ranks = std::accumulate(hosts.begin(), hosts.end(), 0);
      std::vector<int> owners(size);
      int64_t least = size, most = 0;
      for (int rank = 0; rank < ranks; ++rank) {
        int64_t own = 0, end_before = 0;
        for (const auto& [begin, end] : GradientSum::SharesOf(size, rank, hosts, ranks)) {
          EXPECT_EQ(begin % worker::kNormBlock, 0);
          EXPECT_TRUE(end % worker::kNormBlock == 0 || end == size);
          EXPECT_GE(begin, end_before);
          end_before = end;
          for (int64_t i = begin; i < end; ++i) ++owners[i];
          own += end - begin;
        }
        least = std::min(least, own);
        most = std::max(most, own);
      }
      EXPECT_EQ(std::count(owners.begin(), owners.end(), 1), size) << ranks;
      // A block more of each piece.
      EXPECT_LE(most - least, 5 * worker::kNormBlock) << ranks;
    }
  }
}

// The sum of the own share alone; then what became of it goes to all.
void ExpectStaysWithItsShares(const std::vector<int>& hosts) {
  for (const Wire wire : {Wire::kFloat32, Wire::kBfloat16}) {
    SCOPED_TRACE(testing::PrintToString(hosts));
    const bool through =
        GradientSum::WayOf(hosts, world->size(), {.result = SumResult::kShares}).through_hosts;
    // (What ranks of a host have to add is rounded where it does not go through hosts.)
    if (wire == Wire::kBfloat16 && !through && hosts.size() > 1) continue;
    std::vector<float> x(kSeveralPieces), whole(kSeveralPieces), weights(kSeveralPieces);
    GradientSum shares(*world, x, {wire, SumResult::kShares}, hosts);
    GradientSum all(*world, whole, {wire}, hosts);
    const auto mine = GradientSum::SharesOf(kSeveralPieces, world->rank(), hosts, world->size());
    for (int turn = 0; turn < 2; ++turn) {
      if (world->rank() == turn) std::this_thread::sleep_for(std::chrono::milliseconds(3));
      Fill(x, 0, kSeveralPieces, turn);
      Fill(whole, 0, kSeveralPieces, turn);
      if (world->rank() != 1) shares.Ready(1 << 20);
      shares.Finish();
      all.Finish();
      int64_t wrong = 0, others = 0, sums = 0;
      for (const auto& [begin, end] : mine) {
        for (int64_t i = begin; i < end; ++i) {
          wrong += x[i] != whole[i];
          weights[i] = 2.0f * x[i];
          ++others;
        }
      }
      EXPECT_EQ(wrong, 0);
      EXPECT_GT(others, kSeveralPieces / world->size() - 5 * worker::kNormBlock);
      shares.ShareOut(weights);
      for (int64_t i = 0; i < kSeveralPieces; ++i) sums += weights[i] == 2.0f * whole[i];
      EXPECT_EQ(sums, kSeveralPieces);
      std::ranges::fill(weights, -1.0f);
    }
  }
}

TEST(GradientSumTest, MayStayWithItsShares) { ExpectStaysWithItsShares({}); }

TEST(GradientSumTest, SharesGoThroughHosts) {
  for (const auto& hosts : HostsOfThisWorld()) ExpectStaysWithItsShares(hosts);
  if (world->size() == 6) {
    ExpectStaysWithItsShares({3, 3});
    EXPECT_TRUE(GradientSum::WayOf({3, 3}, 6, {.result = SumResult::kShares}).through_hosts);
  }
}

// Of a table few rows travel, with the bits of all.
void ExpectRowsStay(const std::vector<int>& hosts) {
  constexpr int64_t kWidth = 50, kRows = 60'000;  // 3,000,000 of the floats, 2 whole pieces
  for (const Wire wire : {Wire::kFloat32, Wire::kBfloat16}) {
    for (const auto result : {SumResult::kWhole, SumResult::kShares}) {
      std::vector<float> x(kSeveralPieces), all(kSeveralPieces);
      GradientSum rows(*world, x, {wire, result, {kRows, kWidth}}, hosts);
      GradientSum plain(*world, all, {wire}, hosts);
      for (const int64_t every : {int64_t{400}, int64_t{1}, kRows}) {
        // Each rank some of its own.
        std::ranges::fill(x, 0.0f);
        for (int64_t row = world->rank(); row < kRows; row += every) {
          Fill(x, row * kWidth, (row + 1) * kWidth, static_cast<int>(every % 5));
        }
        Fill(x, kRows * kWidth, kSeveralPieces, 2);
        all = x;
        rows.Ready(kRows * kWidth);
        rows.Finish();
        plain.Finish();
        int64_t wrong = 0;
        const auto mine =
            result == SumResult::kWhole
                ? std::vector<worker::ParameterRange>{{0, kSeveralPieces}}
                : GradientSum::SharesOf(kSeveralPieces, world->rank(), hosts, world->size());
        for (const auto& [begin, end] : mine) {
          for (int64_t i = begin; i < end; ++i) wrong += x[i] != all[i];
        }
        EXPECT_EQ(wrong, 0) << every;
        if (world->size() == 1) continue;
        const int64_t piece = GradientSum::WayOf(hosts, world->size(), {wire, result}).piece_floats;
        const int64_t rest = kSeveralPieces - kRows * kWidth / piece * piece,
                      touched = kRows / every;
        if (every == 1) {
          EXPECT_EQ(rows.summed_floats(), kSeveralPieces);
        } else {
          EXPECT_GE(rows.summed_floats(), rest + touched / 2 * kWidth);
          EXPECT_LE(rows.summed_floats(), rest + touched * world->size() * kWidth);
        }
      }
    }
  }
}

TEST(GradientSumTest, RowsThatNobodyTouchesStay) { ExpectRowsStay({}); }

TEST(GradientSumTest, RowsOfSharesThroughHosts) { ExpectRowsStay(HostsOfThisWorld().front()); }

// What is not ready is still written, while what is behind it travels; ranks say so at times of
// their own, and rank 1 only at the end.
void ExpectTakesNothingBeforeItIsReady(const std::vector<int>& hosts) {
  std::vector<float> x(kSeveralPieces);
  GradientSum sum(*world, x, {}, hosts);
  for (int turn = 0; turn < 3; ++turn) {
    Fill(x, 0, kSeveralPieces, turn + 100);  // not yet what it will be
    for (int64_t end = kSeveralPieces; end > 0;) {
      const int64_t begin = std::max<int64_t>(0, end - 300'000);
      Fill(x, begin, end, turn);
      if (world->rank() != 1) sum.Ready(begin);
      if (world->rank() == 2) std::this_thread::sleep_for(std::chrono::milliseconds(3));
      end = begin;
    }
    sum.Finish();
    EXPECT_EQ(Wrong(x, turn), 0);
    // Others may call MPI again.
    double ranks[] = {1.0};
    world->Sum(ranks);
    EXPECT_EQ(ranks[0], world->size());
  }
}

TEST(GradientSumTest, TakesNothingBeforeItIsReady) {
  ExpectTakesNothingBeforeItIsReady(HostsOfThisWorld().front());
}

// Numbers that bfloat16 has, and others.
void ExpectRounds(const std::vector<int>& hosts) {
  SCOPED_TRACE(testing::PrintToString(hosts));
  constexpr int64_t kSize = 3'000'001;
  std::vector<float> x(kSize);
  GradientSum sum(*world, x, {.wire = Wire::kBfloat16}, hosts);
  // Of a number 8 bits are kept: these and their sums need no more.
  for (int64_t i = 0; i < kSize; ++i) x[i] = static_cast<float>(i % 31) * 0.125f;
  x[0] = std::numeric_limits<float>::quiet_NaN();
  x[1] = std::numeric_limits<float>::infinity();
  sum.Ready(kSize / 2);
  sum.Finish();
  int64_t wrong = 0;
  for (int64_t i = 2; i < kSize; ++i) {
    wrong += x[i] != static_cast<float>(i % 31) * 0.125f * static_cast<float>(world->size());
  }
  EXPECT_EQ(wrong, 0);
  EXPECT_TRUE(std::isnan(x[0]));
  EXPECT_TRUE(std::isinf(x[1]));

  double worst = 0.0;
  Fill(x, 0, kSize, 1);
  sum.Finish();
  for (int64_t i = 0; i < kSize; ++i) {
    double expected = 0.0, size = 0.0;
    for (int rank = 0; rank < world->size(); ++rank) {
      expected += Value(rank, i, 1);
      size += std::abs(Value(rank, i, 1));
    }
    worst = std::max(worst, std::abs(x[i] - expected) / size);
  }
  // Half of the last place twice, 2^-8 each; float32's own is far below that.
  EXPECT_LE(worst, world->size() == 1 ? 0.0 : std::ldexp(1.01, -7));
  if (world->size() > 1) {
    EXPECT_GT(worst, std::ldexp(1.0, -12));
  }
  // What the ranks of a host add, which bfloat16 has not, comes to something that it has.
  const SumForm form = {.wire = Wire::kBfloat16};
  if (GradientSum::WayOf(hosts, world->size(), form).through_hosts) {
    const HostPlace place = PlaceOf(world->rank(), hosts);
    const float small = std::ldexp(1.0f, -10);
    for (const int64_t size : {int64_t{1}, int64_t{100}, int64_t{10'007}, kSize}) {
      std::vector<float> y(size, place.local == 0   ? 1.0f + small
                                 : place.local == 1 ? -small
                                                    : 0.0f);
      GradientSum exact(*world, y, form, hosts);
      exact.Finish();
      EXPECT_EQ(std::ranges::count(y, static_cast<float>(hosts.size())), size);
    }
  }
  // The same on every rank.
  std::vector<float> root = x;
  world->Broadcast(std::span<float>(root));
  EXPECT_EQ(x, root);
}

TEST(GradientSumTest, RoundsWhatTravelsBetweenRanksOrHosts) {
  for (const auto& hosts : HostsOfThisWorld()) ExpectRounds(hosts);
}

// Pieces travel while their sender does something else.
void ExpectMovesOnByItself(const std::vector<int>& hosts) {
  std::vector<float> x(kSeveralPieces);
  GradientSum sum(*world, x, {}, hosts);
  Fill(x, 0, kSeveralPieces, 0);
  double here[] = {0.0};
  world->Sum(here);  // together
  sum.Ready(1);      // all but the last piece
  const auto until = std::chrono::steady_clock::now() + std::chrono::seconds(20);
  const auto last = [&] { return std::atomic_ref(x.back()).load(); };
  while (last() != Expected(kSeveralPieces - 1, 0) && std::chrono::steady_clock::now() < until) {
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
  }
  EXPECT_EQ(last(), Expected(kSeveralPieces - 1, 0));
  sum.Finish();
  EXPECT_EQ(Wrong(x, 0), 0);
}

TEST(GradientSumTest, MovesOnByItself) {
  if (world->size() == 1) return;  // nothing travels
  ExpectMovesOnByItself(HostsOfThisWorld().front());
}

TEST(GradientSumTest, AnUnfinishedOneEnds) {
  for (const auto& hosts : HostsOfThisWorld()) {
    std::vector<float> x(kSeveralPieces);
    GradientSum sum(*world, x, {}, hosts);
  }
}

}  // namespace
}  // namespace lockstep::trainer
