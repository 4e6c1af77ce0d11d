#include "tests/bench/fma_limit.h"

#include <algorithm>
#include <chrono>
#include <cstdint>

#include "worker/products/instruction_set.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "tests/bench/fma_limit.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

HWY_BEFORE_NAMESPACE();
namespace lockstep::bench::HWY_NAMESPACE {
namespace hn = hwy::HWY_NAMESPACE;

// Ten chains hide the latency of two units of four or five cycles, and leave registers for the two
// factors among the 16 of SSE4 and AVX2.
constexpr int kChains = 10;

// Returns the number of operations done; `out` [HWY_MAX_BYTES / 4] keeps the compiler from leaving
// them out.
double Chains(int64_t rounds, float* out) {
  const hn::ScalableTag<float> d;
  const auto x = hn::Set(d, 0.999f), y = hn::Set(d, 1e-3f);
  hn::Vec<decltype(d)> sums[kChains];
  for (int i = 0; i < kChains; ++i) sums[i] = hn::Set(d, static_cast<float>(i));
  for (int64_t round = 0; round < rounds; ++round) {
    for (int i = 0; i < kChains; ++i) sums[i] = hn::MulAdd(sums[i], x, y);
  }
  for (int i = 1; i < kChains; ++i) sums[0] = hn::Add(sums[0], sums[i]);
  hn::StoreU(sums[0], d, out);
  return 2.0 * kChains * static_cast<double>(rounds) * static_cast<double>(hn::Lanes(d));
}

}  // namespace lockstep::bench::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lockstep::bench {

HWY_EXPORT(Chains);

namespace {

#if HWY_ARCH_X86
// Highway has no target for AVX alone.
__attribute__((target("avx"))) double AvxChains(int64_t rounds, float* out) {
  typedef float Vector __attribute__((vector_size(32)));
  const Vector x = Vector{} + 0.999f, y = Vector{} + 1e-3f;
  Vector sums[HWY_NAMESPACE::kChains] = {};
  for (int64_t round = 0; round < rounds; ++round) {
    for (auto& sum : sums) sum = sum * x + y;
  }
  for (const auto& sum : sums) sums[0] += sum;
  for (int i = 0; i < 8; ++i) out[i] = sums[0][i];
  return 2.0 * HWY_NAMESPACE::kChains * static_cast<double>(rounds) * 8;
}
#endif

double WidestChains(int64_t rounds, float* out) {
#if HWY_ARCH_X86
  if (worker::InstructionSets().back().setting == "AVX") return AvxChains(rounds, out);
#endif
  return LOCKSTEP_DISPATCH(Chains)(rounds, out);
}

}  // namespace

double FmaLimit(int threads, double seconds) {
  using Clock = std::chrono::steady_clock;
  constexpr int64_t kRounds = 2'000'000;
  double best = 0.0;
  const auto start = Clock::now();
  do {
    double operations = 0.0;
    const auto try_start = Clock::now();
#pragma omp parallel num_threads(threads) reduction(+ : operations)
    {
      float out[64];
      operations += WidestChains(kRounds, out);
      volatile float seen = out[0];
      static_cast<void>(seen);
    }
    const std::chrono::duration<double> taken = Clock::now() - try_start;
    best = std::max(best, operations / taken.count());
  } while (std::chrono::duration<double>(Clock::now() - start).count() < seconds);
  return best;
}

}  // namespace lockstep::bench
#endif
