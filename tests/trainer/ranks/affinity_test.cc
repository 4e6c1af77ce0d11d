#include "trainer/ranks/affinity.h"

#include <cerrno>

#include <gtest/gtest.h>

namespace lockstep::trainer {
namespace {

// As Linux does it: EINVAL for a mask that is shorter than the machine's.
TEST(AffinityTest, TheMaskGrowsWithTheMachine) {
  for (const size_t processors : {1u, 64u, 1024u, 1025u, 4096u, 100'000u}) {
    const auto mask = AffinityMask([&](size_t bytes, uint64_t* words) {
      if (bytes * 8 < processors) {
        errno = EINVAL;
        return -1;
      }
      for (size_t i = 0; i < processors; i += 2) words[i / 64] |= uint64_t{1} << i % 64;
      return 0;
    });
    EXPECT_EQ(CountProcessors(mask), (processors + 1) / 2);
  }
}

TEST(AffinityTest, ASystemThatDoesNotTellHasOneProcessor) {
  int calls = 0;
  for (const int error : {EINVAL, EPERM}) {
    const auto mask = AffinityMask([&](size_t, uint64_t*) {
      errno = error;
      return ++calls, -1;
    });
    EXPECT_TRUE(mask.empty());
    EXPECT_EQ(CountProcessors(mask), 1);
  }
  EXPECT_LT(calls, 100);
}

TEST(AffinityTest, ThisMachineTells) { EXPECT_FALSE(AffinityMask().empty()); }

}  // namespace
}  // namespace lockstep::trainer
