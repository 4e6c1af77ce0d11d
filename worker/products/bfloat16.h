#ifndef LOCKSTEP_WORKER_PRODUCTS_BFLOAT16_H_
#define LOCKSTEP_WORKER_PRODUCTS_BFLOAT16_H_

#include <bit>
#include <cstdint>

namespace lockstep::worker {

/// The upper half of a float32: its sign, its exponent and 8 significant bits.
using Bfloat16 = uint16_t;

/// To the nearest, to the even one of two; what is not a number stays so. In whole numbers, so that
/// loops over it become vectors.
constexpr Bfloat16 RoundToBfloat16(float x) {
  const auto bits = std::bit_cast<uint32_t>(x);
  const bool is_nan = bits << 1 > 0xFF000000u;
  return static_cast<Bfloat16>(is_nan ? bits >> 16 | 0x40
                                      : (bits + 0x7FFF + (bits >> 16 & 1)) >> 16);
}

constexpr float Widened(Bfloat16 x) { return std::bit_cast<float>(static_cast<uint32_t>(x) << 16); }

/// A float32 matrix as its elements round: to [i * to_stride + j] goes from[i * row_stride + j *
/// column_stride]. In threads.
void RoundMatrixToBfloat16(int64_t rows, int64_t columns, const float* from, int64_t row_stride,
                           int64_t column_stride, Bfloat16* to, int64_t to_stride);

/// Whether this process may use instructions that multiply pairs of such numbers (x86: AVX512_BF16
/// or AMX).
bool HasBfloat16Instructions();

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_PRODUCTS_BFLOAT16_H_
