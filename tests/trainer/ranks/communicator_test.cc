// Runs under mpiexec with 1, 2, 3 and 4 ranks. Every rank runs every test, so every rank must make
// the same collective calls: what is found wrong is asserted after the last of them.
#include "trainer/ranks/communicator.h"

#include <array>
#include <cmath>
#include <limits>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/errors.h"
#include "tests/trainer/ranks/world.h"

namespace lockstep::trainer {
namespace {

using ::testing::HasSubstr;
using ::testing::Not;

// What every rank would hear of a failure; "" when there was none.
struct Heard {
  std::string message;
  int status = kDone;
};
Heard Listen(const std::function<void()>& action) {
  try {
    world->Together(action);
  } catch (const AgreedError& error) {
    return {error.what(), error.status()};
  }
  return {};
}

int LastRank() { return world->size() - 1; }

TEST(CommunicatorTest, SumsOfDoubles) {
  std::array<double, 2> x = {world->rank() + 0.5, -1.0};
  world->Sum(std::span<double>(x));
  const double ranks = world->size();
  EXPECT_EQ(x[0], ranks * (ranks - 1) / 2 + 0.5 * ranks);
  EXPECT_EQ(x[1], -ranks);
}

TEST(CommunicatorTest, NotANumberReachesEveryRank) {
  std::array<double, 1> x = {world->rank() == LastRank() ? std::numeric_limits<double>::quiet_NaN()
                                                         : 1.0};
  world->Sum(std::span<double>(x));
  EXPECT_TRUE(std::isnan(x[0]));
}

TEST(CommunicatorTest, TheLargest) {
  std::array<double, 2> x = {static_cast<double>(world->rank()),
                             -static_cast<double>(world->rank())};
  world->Max(x);
  EXPECT_EQ(x[0], LastRank());
  EXPECT_EQ(x[1], 0.0);
}

TEST(CommunicatorTest, GatherPutsUnevenPartsInRankOrder) {
  // rank 0 has none, rank r has r times the number r.
  const std::vector<float> mine(world->rank(), static_cast<float>(world->rank()));
  const std::vector<float> all = world->Gather(std::span<const float>(mine));
  std::vector<float> expected;
  for (int rank = 0; rank < world->size(); ++rank) {
    expected.insert(expected.end(), rank, static_cast<float>(rank));
  }
  EXPECT_EQ(all, world->is_root() ? expected : std::vector<float>());
}

TEST(CommunicatorTest, ScatterGivesEachRankItsPart) {
  std::vector<float> mine(world->rank());
  world->Scatter([](int rank) { return std::vector<float>(rank, static_cast<float>(rank)); }, mine);
  EXPECT_EQ(mine, std::vector<float>(world->rank(), static_cast<float>(world->rank())));
}

TEST(CommunicatorTest, GatherOfTextsOfAnyLength) {
  const auto text_of = [](int rank) {
    return std::string(static_cast<size_t>(rank) * 100'000, 'x') + std::string(rank, '\0') +
           std::to_string(rank);
  };
  const std::vector<std::string> texts = world->Gather(text_of(world->rank()));
  EXPECT_EQ(std::ssize(texts), world->is_root() ? world->size() : 0);
  for (size_t rank = 0; rank < texts.size(); ++rank) {
    EXPECT_EQ(texts[rank], text_of(static_cast<int>(rank)));
  }
}

TEST(CommunicatorTest, BroadcastsOfAllKinds) {
  const bool root = world->is_root();
  std::string text = root ? std::string(70'000, 'x') + '\0' + "end" : "mine";
  std::string empty = root ? "" : "mine";
  std::vector<float> x = root ? std::vector<float>{1, 2, 3} : std::vector<float>(3);
  struct {
    int64_t a;
    double b;
  } value = {root ? 7 : 0, root ? 0.5 : 0.0};
  world->Broadcast(text);
  world->Broadcast(empty);
  world->Broadcast(std::span<float>(x));
  world->Broadcast(std::span<float>());
  world->BroadcastValue(value);
  EXPECT_EQ(text.size(), 70'004u);
  EXPECT_TRUE(text.ends_with("end"));
  EXPECT_EQ(empty, "");
  EXPECT_EQ(x, (std::vector<float>{1, 2, 3}));
  EXPECT_EQ(value.a, 7);
  EXPECT_EQ(value.b, 0.5);
}

TEST(TogetherTest, NobodyFails) {
  bool acted = false;
  const Heard heard = Listen([&] { acted = true; });
  EXPECT_TRUE(acted);
  EXPECT_EQ(heard.message, "");
}

TEST(TogetherTest, OneFailsAndEveryoneHearsOfIt) {
  const Heard heard = Listen([] {
    if (world->rank() == LastRank()) throw io::InputError("no such file");
  });
  EXPECT_THAT(heard.message, HasSubstr("no such file"));
  EXPECT_EQ(heard.status, kWrongInput);
  // The rank is named where not every rank says the same.
  const auto place =
      HasSubstr("(rank " + std::to_string(LastRank()) + " on " + world->host() + ")");
  if (world->size() > 1) {
    EXPECT_THAT(heard.message, place);
  } else {
    EXPECT_EQ(heard.message, "no such file");
  }
}

TEST(TogetherTest, SeveralFailAndTheLowestRankSpeaks) {
  const int lowest = world->size() > 2 ? 1 : 0;
  const Heard heard = Listen([&] {
    if (world->rank() < lowest) return;
    if (world->rank() == lowest) throw UsageError("lowest");
    throw std::runtime_error("another");
  });
  EXPECT_THAT(heard.message, HasSubstr("lowest"));
  EXPECT_THAT(heard.message, Not(HasSubstr("another")));
  EXPECT_EQ(heard.status, kWrongInput);
}

TEST(TogetherTest, TheStatusIsThatOfTheError) {
  EXPECT_EQ(Listen([] { throw AgreedError("diverged", kDiverged); }).status, kDiverged);
  EXPECT_EQ(Listen([] { throw io::SystemError("disk full"); }).status, kFailed);
  EXPECT_EQ(Listen([] { throw io::DamagedFileError("damaged"); }).status, kWrongInput);
  EXPECT_EQ(Listen([] { throw std::bad_alloc(); }).status, kFailed);
}

TEST(TogetherTest, AMessageMayBeLongOrEmpty) {
  EXPECT_EQ(Listen([] { throw UsageError(std::string(100'000, 'x')); }).message.size(), 100'000u);
  EXPECT_EQ(Listen([] { throw UsageError(""); }).status, kWrongInput);
}

TEST(TogetherTest, AllGoOnAfterAFailure) {
  Listen([] { throw UsageError("wrong"); });
  std::array<double, 1> one = {1.0};
  world->Sum(std::span<double>(one));
  EXPECT_EQ(one[0], world->size());
}

TEST(OnRootTest, OnlyRankZeroActsAndAllHear) {
  bool acted = false;
  world->OnRoot([&] { acted = true; });
  std::string message;
  try {
    world->OnRoot([] { throw UsageError("wrong"); });
  } catch (const AgreedError& error) {
    message = error.what();
  }
  EXPECT_EQ(acted, world->is_root());
  EXPECT_EQ(message, "wrong");
}

TEST(RequireSameTest, OneOtherValueIsAnErrorEverywhere) {
  world->RequireSame("abc", "the fingerprint");
  std::string message;
  try {
    world->RequireSame(world->rank() == LastRank() && LastRank() > 0 ? "xyz" : "abc",
                       "the fingerprint");
  } catch (const AgreedError& error) {
    message = error.what();
  }
  if (world->size() == 1) {
    EXPECT_EQ(message, "");
    return;
  }
  EXPECT_THAT(message, HasSubstr("the fingerprint is xyz here, but abc on rank 0"));
  EXPECT_THAT(message, HasSubstr("(rank " + std::to_string(LastRank())));
}

TEST(HostTest, HostsOfRanksThatFollowOneAnotherAreKnown) {
  EXPECT_EQ(HostSizes({0}), (std::vector{1}));
  EXPECT_EQ(HostSizes({0, 0, 2, 2}), (std::vector{2, 2}));
  EXPECT_EQ(HostSizes({0, 1, 1, 3}), (std::vector{1, 2, 1}));
  for (const std::vector<int>& mixed : {std::vector{0, 1, 0, 1}, {0, 1, 1, 0}, {0, 0, 2, 0}}) {
    EXPECT_EQ(HostSizes(mixed), std::vector<int>());
  }
}

TEST(HostTest, AllRanksAreOnThisHost) {
  EXPECT_EQ(world->host_share().ranks, world->size());
  EXPECT_EQ(world->host_sizes(), std::vector<int>{world->size()});
  EXPECT_GE(world->host_share().cores, 1);
  EXPECT_GE(world->host_share().own_cores, 1);
  EXPECT_LE(world->host_share().own_cores, world->host_share().cores);
  EXPECT_FALSE(world->host().empty());
  EXPECT_EQ(LauncherRank(), world->rank());
}

}  // namespace
}  // namespace lockstep::trainer
