#ifndef LOCKSTEP_WORKER_PRODUCTS_PANEL_PRODUCT_H_
#define LOCKSTEP_WORKER_PRODUCTS_PANEL_PRODUCT_H_

#include <cstdint>
#include <string>

#include "worker/buffer.h"
#include "worker/products/ahead.h"
#include "worker/products/precision.h"

namespace lockstep::worker {

/// The left operand and the result of a panel product. A[i, k] is at a[i * a_row_stride + k *
/// a_column_stride]; C has rows `c_stride` floats apart.
struct PanelOperands {
  const float* a = nullptr;
  int64_t a_row_stride = 0;
  int64_t a_column_stride = 1;
  float* c = nullptr;
  int64_t c_stride = 0;
  bool accumulate = false;      ///< C += A B
  const float* bias = nullptr;  ///< [N], added to every row; not together with `accumulate`
  Ahead ahead = {};             ///< hint: what the threads read behind it
  float* a_sums = nullptr;      ///< [M], += the sums of A's rows; only where CopiesRows
};

/// Some of B: so many columns of so many rows of K.
struct PanelExtent {
  int64_t columns = 0, rows = 0;
};

/// C[M,N] = A[M,K] B[K,N] on our own kernels, K > 0, with B copied into panels, each as wide as
/// three vectors (the last one or two less) and contiguous along K, so that it is read in order:
/// once for few rows of A, once for each block of many, which may be copied, too. For a B that many
/// products share; where oneDNN's matmul has reference code only; and where this is faster. After
/// Goto and van de Geijn 2008, "Anatomy of high-performance matrix multiplication". With
/// Precision::kBf16 both operands are rounded to bfloat16 and their products summed in float32, a
/// pair of K at a time, by instructions for that: only where HasBfloat16Instructions().
class PanelProduct {
 public:
  /// B[k, j] is at b[k * row_stride + j * column_stride]. With `rounds`, in float32, its elements
  /// are taken as they round to bfloat16.
  void Pack(int64_t n, int64_t k, const float* b, int64_t row_stride, int64_t column_stride,
            Precision precision = Precision::kFloat32, bool rounds = false);

  /// Threads share the panels, and the rows of one between two of them, or the rows where they are
  /// many; an element of C is the sum over blocks of K of one depth, each summed in the order of K
  /// (in bf16 the upper one of a pair first) and then added, whatever the number of rows and
  /// threads. Threads may call at once.
  void Multiply(int64_t m, const PanelOperands& operands) const;

  /// "panels AVX2", "panels AVX3 in bf16" and the like.
  static std::string Name(Precision precision = Precision::kFloat32);

  /// Whether this is the fastest way to a single product in float32, the copy of B included: where
  /// A has many rows, on AVX2, where all that oneDNN has is a general sgemm; and with AVX-512 where
  /// B is no small one and A stands as it is multiplied or has very many rows.
  static bool IsFastest(int64_t m, int64_t n, int64_t k, bool a_transposed);

  /// Whether such an A is copied in float32, so that its rows can be summed on the way.
  static bool CopiesRows(int64_t m, int64_t k, bool a_transposed);

  /// How much of B many rows of A go by before the rest follows: what threads share in the last
  /// cache level, all of its columns as long as these are few (C is added to, in the order of K as
  /// ever; A is read once), else all rows of some columns (A is read for each).
  static PanelExtent ExtentOf(int64_t n, int64_t k);

  /// False where the kernels have no vectors to compute with.
  static bool HasVectors();

 private:
  static constexpr int64_t kPanelVectors = 3;

  void MultiplyBlocks(int64_t m, const PanelOperands& operands) const;

  /// Of a row of B, panel after panel.
  int64_t vectors() const { return (n_ + vector_ - 1) / vector_; }
  int64_t panels() const { return (vectors() + kPanelVectors - 1) / kPanelVectors; }
  /// Of a panel. Where one vector would be left over, the last two panels have two: alone it would
  /// have too few sums for the multipliers.
  int64_t vectors(int64_t panel) const;
  int64_t first_vector(int64_t panel) const;
  int64_t first_column(int64_t panel) const { return first_vector(panel) * vector_; }
  int64_t columns(int64_t panel) const;

  int64_t n_ = 0, k_ = 0;
  int64_t vector_ = 0;  // floats of a vector
  Precision precision_ = Precision::kFloat32;
  // Panel for panel [K, width], zeros behind the last column of B; in bf16 [ceil(K / 2), width]
  // pairs, the one of the lower k in the lower half.
  Buffer panels_;
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_PRODUCTS_PANEL_PRODUCT_H_
