#include "worker/threads.h"

#include <limits>
#include <vector>

#include <gtest/gtest.h>
#include <omp.h>

namespace lockstep::worker {
namespace {

#ifdef __SSE2__

// Of static storage: the compiler takes volatile variables of a parallel region for constants.
volatile float least = std::numeric_limits<float>::min(), half = 0.5f, large = 1e30f;
volatile float denormal = std::numeric_limits<float>::denorm_min();

// What each thread of a team makes of a product, and of an operand, that is not normal.
std::vector<float> DenormalsOfEachThread(int threads) {
  std::vector<float> results(2 * threads, -1.0f);
#pragma omp parallel num_threads(threads)
  {
    results[2 * omp_get_thread_num()] = least * half;
    results[2 * omp_get_thread_num() + 1] = denormal * large;
  }
  return results;
}

TEST(ThreadsTest, DenormalsAreZeroOnEveryThread) {
  // Teams that grow make new threads; those of a team that shrank may be others when it grows.
  for (const int threads : {1, 2, 5, 1, 7, 3}) {
    SetThreads(threads);
    EXPECT_EQ(omp_get_max_threads(), threads);
    EXPECT_EQ(DenormalsOfEachThread(threads), std::vector<float>(2 * threads, 0.0f)) << threads;
  }
  // A team that is larger than was said inherits it.
  EXPECT_EQ(DenormalsOfEachThread(9), std::vector<float>(18, 0.0f));
}

#endif

}  // namespace
}  // namespace lockstep::worker
