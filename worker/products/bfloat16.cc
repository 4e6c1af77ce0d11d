#include "worker/products/bfloat16.h"

#include <algorithm>

#include "worker/products/instruction_set.h"

#undef HWY_TARGET_INCLUDE
#define HWY_TARGET_INCLUDE "worker/products/bfloat16.cc"
#include <hwy/foreach_target.h>
#include <hwy/highway.h>

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

}  // namespace lockstep::worker::HWY_NAMESPACE
HWY_AFTER_NAMESPACE();

#if HWY_ONCE
namespace lockstep::worker {

HWY_EXPORT(RoundRow);
HWY_EXPORT(RoundRowInFloat32);

namespace {

// Below so many elements a thread alone is faster than all of them together.
constexpr int64_t kLeastOfThreads = int64_t{1} << 14;

bool Has(const char* setting) {
  return std::ranges::any_of(InstructionSets(),
                             [&](const auto& set) { return set.setting == setting; });
}

// Told by another instruction set of the same processors. (Emerald Rapids, 2 threads without AMX:
// 169 GFLOP/s by vdpbf16ps, 355 by vfmadd231ps; the anchors of an AMD EPYC are 470 and 235.)
bool PairsAreSlow() {
#if defined(__x86_64__)
  return __builtin_cpu_is("intel") && __builtin_cpu_supports("avx512fp16") &&
         !Has("AVX512_CORE_AMX");
#else
  return false;
#endif
}

bool& PairsAreUsed() {
  static bool used = HasBfloat16Instructions() && !PairsAreSlow();
  return used;
}

}  // namespace

void RoundMatrixToBfloat16(int64_t rows, int64_t columns, const float* from, int64_t row_stride,
                           int64_t column_stride, Bfloat16* to, int64_t to_stride) {
  if (column_stride == 1) {
    const auto round_row = LOCKSTEP_DISPATCH(RoundRow);
#pragma omp parallel for schedule(static) if (rows * columns > kLeastOfThreads)
    for (int64_t i = 0; i < rows; ++i) {
      round_row(columns, from + i * row_stride, to + i * to_stride);
    }
    return;
  }
  // Blocks of a cache line either way: what is read of a column stands beside the next column's.
  constexpr int64_t kBlock = 16;
#pragma omp parallel for schedule(static) if (rows * columns > kLeastOfThreads)
  for (int64_t block = 0; block < (rows + kBlock - 1) / kBlock; ++block) {
    const int64_t first = block * kBlock, end = std::min(rows, first + kBlock);
    for (int64_t begin = 0; begin < columns; begin += kBlock) {
      for (int64_t j = begin; j < std::min(columns, begin + kBlock); ++j) {
        for (int64_t i = first; i < end; ++i) {
          to[i * to_stride + j] = RoundToBfloat16(from[i * row_stride + j * column_stride]);
        }
      }
    }
  }
}

void RoundMatrixInFloat32(int64_t rows, int64_t columns, const float* from, int64_t row_stride,
                          float* to) {
  const auto round_row = LOCKSTEP_DISPATCH(RoundRowInFloat32);
#pragma omp parallel for schedule(static) if (rows * columns > kLeastOfThreads)
  for (int64_t i = 0; i < rows; ++i) {
    round_row(columns, from + i * row_stride, to + i * columns);
  }
}

bool HasBfloat16Instructions() {
  static const bool has = Has("AVX512_CORE_BF16");
  return has;
}

bool UsesBfloat16Instructions() { return PairsAreUsed(); }
void UseBfloat16Instructions(bool on) { PairsAreUsed() = on; }

}  // namespace lockstep::worker
#endif
