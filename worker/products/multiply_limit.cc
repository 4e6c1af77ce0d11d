#include "worker/products/multiply_limit.h"

#include <algorithm>
#include <chrono>
#include <cstdint>

#include <omp.h>

#include "worker/buffer.h"
#include "worker/products/bfloat16.h"
#include "worker/products/instruction_set.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "worker/products/multiply_limit.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "worker/products/bfloat16-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::worker::HWY_NAMESPACE {
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

// The same of pairs of bfloat16, of which a product takes six cycles; 0 where there is no
// instruction for it.
double Bf16Chains([[maybe_unused]] int64_t rounds, [[maybe_unused]] float* out) {
#if LOCKSTEP_HAS_BFLOAT16_PAIRS
  constexpr int kPairChains = 16;
  const hn::ScalableTag<float> d;
  const auto pairs = hn::Set(hn::RebindToUnsigned<decltype(d)>(), 0x3C003F00u);
  hn::Vec<decltype(d)> sums[kPairChains];
  for (int i = 0; i < kPairChains; ++i) sums[i] = hn::Set(d, static_cast<float>(i));
  for (int64_t round = 0; round < rounds; ++round) {
    for (int i = 0; i < kPairChains; ++i) sums[i] = AddPairs(pairs, pairs, sums[i]);
  }
  for (int i = 1; i < kPairChains; ++i) sums[0] = hn::Add(sums[0], sums[i]);
  hn::StoreU(sums[0], d, out);
  return 4.0 * kPairChains * static_cast<double>(rounds) * static_cast<double>(hn::Lanes(d));
#else
  return 0.0;
#endif
}

}  // namespace lockstep::worker::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lockstep::worker {

HWY_EXPORT(Chains);
HWY_EXPORT(Bf16Chains);

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

double WidestChains(Precision precision, int64_t rounds, float* out) {
  if (precision == Precision::kBf16) return LOCKSTEP_DISPATCH(Bf16Chains)(rounds, out);
#if HWY_ARCH_X86
  if (InstructionSetName() == "AVX") return AvxChains(rounds, out);
#endif
  return LOCKSTEP_DISPATCH(Chains)(rounds, out);
}

// The best rate of several tries of work(), which returns what it has done.
template <class Work>
double BestRate(double seconds, const Work& work) {
  using Clock = std::chrono::steady_clock;
  double best = 0.0;
  const auto start = Clock::now();
  do {
    const auto try_start = Clock::now();
    const double done = work();
    const std::chrono::duration<double> taken = Clock::now() - try_start;
    best = std::max(best, done / taken.count());
  } while (std::chrono::duration<double>(Clock::now() - start).count() < seconds);
  return best;
}

}  // namespace

double MultiplyLimit(int threads, double seconds, Precision precision) {
  constexpr int64_t kRounds = 2'000'000;
  if (precision == Precision::kBf16 && !HasBfloat16Instructions()) return 0.0;
  return BestRate(seconds, [&] {
    double operations = 0.0;
#pragma omp parallel num_threads(threads) reduction(+ : operations)
    {
      float out[64];
      operations += WidestChains(precision, kRounds, out);
      volatile float seen = out[0];
      static_cast<void>(seen);
    }
    return operations;
  });
}

double CopyLimit(int threads, double seconds) {
  constexpr int64_t kFloats = int64_t{1} << 25;
  Buffer from, to;
  from.Require(kFloats);
  to.Require(kFloats);
  // Who writes first has the memory near.
  const auto on_threads = [&](const auto& work) {
#pragma omp parallel num_threads(threads)
    {
      const int64_t parts = omp_get_num_threads(), part = omp_get_thread_num();
      const int64_t begin = kFloats * part / parts;
      work(begin, kFloats * (part + 1) / parts - begin);
    }
  };
  on_threads([&](int64_t begin, int64_t size) {
    std::fill_n(from.data() + begin, size, 1.0f);
    std::fill_n(to.data() + begin, size, 0.0f);
  });
  return BestRate(seconds, [&] {
    on_threads([&](int64_t begin, int64_t size) {
      std::copy_n(from.data() + begin, size, to.data() + begin);
    });
    return 2.0 * kFloats * sizeof(float);
  });
}

}  // namespace lockstep::worker
#endif
