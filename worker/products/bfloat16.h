#ifndef LOCKSTEP_WORKER_PRODUCTS_BFLOAT16_H_
#define LOCKSTEP_WORKER_PRODUCTS_BFLOAT16_H_

#include <bit>
#include <cstdint>

namespace lockstep::worker {

/// The upper half of a float32: its sign, its exponent and 8 significant bits.
using Bfloat16 = uint16_t;

/// To the nearest, to the even one of two; what is not a number stays so. As a float32, whose lower
/// half is 0. In whole numbers, so that loops over it become vectors.
constexpr float RoundedToBfloat16(float x) {
  const auto bits = std::bit_cast<uint32_t>(x);
  const bool is_nan = bits << 1 > 0xFF000000u;
  const uint32_t rounded = is_nan ? bits | 0x400000u : bits + 0x7FFF + (bits >> 16 & 1);
  return std::bit_cast<float>(rounded & 0xFFFF0000u);
}

constexpr Bfloat16 RoundToBfloat16(float x) {
  return static_cast<Bfloat16>(std::bit_cast<uint32_t>(RoundedToBfloat16(x)) >> 16);
}

constexpr float Widened(Bfloat16 x) { return std::bit_cast<float>(static_cast<uint32_t>(x) << 16); }

/// A float32 matrix as its elements round: to [i * to_stride + j] goes from[i * row_stride + j *
/// column_stride]. In threads.
void RoundMatrixToBfloat16(int64_t rows, int64_t columns, const float* from, int64_t row_stride,
                           int64_t column_stride, Bfloat16* to, int64_t to_stride);

/// Rows of float32 as they round, one behind another and as float32, to `to`. In threads.
void RoundMatrixInFloat32(int64_t rows, int64_t columns, const float* from, int64_t row_stride,
                          float* to);

/// Whether this process may use instructions that multiply pairs of such numbers (x86: AVX512_BF16
/// or AMX).
bool HasBfloat16Instructions();

/// Whether products in bf16 are computed by them; else by float32's, of rounded operands, with the
/// same sums but for roundings. From the start where they are the faster ones: not on Intel's
/// processors of Sapphire Rapids' kind where AMX is not to be used, which take two cycles for one
/// vdpbf16ps and one for two products of float32, half as many numbers each.
bool UsesBfloat16Instructions();
/// Whether our own kernels do so: not on those processors, whatever oneDNN does by AMX.
bool PanelsTakeBfloat16();
/// For tests and measurements. True only where HasBfloat16Instructions().
void UseBfloat16Instructions(bool on);

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_PRODUCTS_BFLOAT16_H_
