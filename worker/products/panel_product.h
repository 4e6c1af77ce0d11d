#ifndef LOCKSTEP_WORKER_PRODUCTS_PANEL_PRODUCT_H_
#define LOCKSTEP_WORKER_PRODUCTS_PANEL_PRODUCT_H_

#include <cstdint>
#include <string>

#include "worker/buffer.h"

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
};

/// C[M,N] = A[M,K] B[K,N] on our own kernels, with a B that many products share: B is copied once
/// into panels, each as wide as three vectors and contiguous along K, so that a product reads it in
/// order and only once. For operands for which oneDNN's matmul keeps no layout of its own and packs
/// B again at each call, or has reference code only. After Goto and van de Geijn 2008, "Anatomy of
/// high-performance matrix multiplication".
class PanelProduct {
 public:
  /// B[k, j] is at b[k * row_stride + j * column_stride].
  void Pack(int64_t n, int64_t k, const float* b, int64_t row_stride, int64_t column_stride);

  /// Threads share the panels, and the rows where there are few panels; an element of C is summed
  /// in the order of K whatever the number of rows and threads.
  void Multiply(int64_t m, const PanelOperands& operands) const;

  /// "panels AVX2" and the like.
  static std::string Name();

  /// False where the kernels have no vectors to compute with.
  static bool HasVectors();

 private:
  int64_t n_ = 0, k_ = 0;
  int64_t panel_width_ = 0;
  Buffer panels_;  // [ceil(N / width), K, width], zeros behind the last column
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_PRODUCTS_PANEL_PRODUCT_H_
