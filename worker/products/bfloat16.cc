#include "worker/products/bfloat16.h"

#include <algorithm>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

#include "worker/parallel_for.h"
#include "worker/products/instruction_set.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "worker/products/bfloat16.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

#include "worker/products/bfloat16-inl.h"

HWY_BEFORE_NAMESPACE();
namespace lockstep::worker::HWY_NAMESPACE {

// The compiler makes it of this target's vectors.
void RoundRow(int64_t columns, const float* from, Bfloat16* to) {
#pragma omp simd
  for (int64_t j = 0; j < columns; ++j) to[j] = RoundToBfloat16(from[j]);
}

void RoundRowInFloat32(int64_t columns, const float* from, float* to) {
#pragma omp simd
  for (int64_t j = 0; j < columns; ++j) to[j] = RoundedToBfloat16(from[j]);
}

bool HasPairs() { return LOCKSTEP_HAS_BFLOAT16_PAIRS != 0; }

}  // namespace lockstep::worker::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lockstep::worker {

HWY_EXPORT(RoundRow);
HWY_EXPORT(RoundRowInFloat32);
HWY_EXPORT(HasPairs);

namespace {

// Below so many elements a thread alone is faster than all of them together.
constexpr int64_t kLeastOfThreads = int64_t{1} << 14;

bool Has(const char* setting) {
  return std::ranges::any_of(InstructionSets(),
                             [&](const auto& set) { return set.setting == setting; });
}

// Told by another instruction set of the same processors, AVX512_FP16 (bit 23). (2 threads of an
// Emerald Rapids: 169 GFLOP/s by vdpbf16ps, 355 by vfmadd231ps. Of an AMD EPYC with AVX-512, 470
// and 235 have been seen.)
bool PairsAreSlow() {
#if defined(__x86_64__)
  unsigned highest = 0, b = 0, c = 0, d = 0;
  if (!__get_cpuid(0, &highest, &b, &c, &d)) return false;
  const bool is_intel = b == signature_INTEL_ebx;
  return is_intel && __get_cpuid_count(7, 0, &highest, &b, &c, &d) && (d >> 23 & 1) != 0;
#else
  return false;
#endif
}

bool& InstructionsAreUsed() {
  static bool used = HasBfloat16Instructions() && (!PairsAreSlow() || Has("AVX512_CORE_AMX"));
  return used;
}

}  // namespace

void RoundMatrixToBfloat16(int64_t rows, int64_t columns, const float* from, int64_t row_stride,
                           int64_t column_stride, Bfloat16* to, int64_t to_stride) {
  const bool worth_while = rows * columns > kLeastOfThreads;
  if (column_stride == 1) {
    const auto round_row = LOCKSTEP_DISPATCH(RoundRow);
    ParallelFor(
        rows, [&](int64_t i) { round_row(columns, from + i * row_stride, to + i * to_stride); },
        worth_while);
    return;
  }
  // Blocks of a cache line either way: what is read of a column stands beside the next column's.
  constexpr int64_t kBlock = 16;
  const auto round_block = [&](int64_t block) {
    const int64_t first = block * kBlock, end = std::min(rows, first + kBlock);
    for (int64_t begin = 0; begin < columns; begin += kBlock) {
      for (int64_t j = begin; j < std::min(columns, begin + kBlock); ++j) {
        for (int64_t i = first; i < end; ++i) {
          to[i * to_stride + j] = RoundToBfloat16(from[i * row_stride + j * column_stride]);
        }
      }
    }
  };
  ParallelFor((rows + kBlock - 1) / kBlock, round_block, worth_while);
}

void RoundMatrixInFloat32(int64_t rows, int64_t columns, const float* from, int64_t row_stride,
                          float* to) {
  const auto round_row = LOCKSTEP_DISPATCH(RoundRowInFloat32);
  ParallelFor(
      rows, [&](int64_t i) { round_row(columns, from + i * row_stride, to + i * columns); },
      rows * columns > kLeastOfThreads);
}

bool HasBfloat16Instructions() {
  static const bool has = Has("AVX512_CORE_BF16") && LOCKSTEP_DISPATCH(HasPairs)();
  return has;
}

bool UsesBfloat16Instructions() { return InstructionsAreUsed(); }
bool PanelsTakeBfloat16() {
  static const bool slow = PairsAreSlow();
  return UsesBfloat16Instructions() && !slow;
}
void UseBfloat16Instructions(bool on) { InstructionsAreUsed() = on; }

}  // namespace lockstep::worker
#endif
