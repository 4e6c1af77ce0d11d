#ifndef LOCKSTEP_WORKER_PANEL_PRODUCT_H_
#define LOCKSTEP_WORKER_PANEL_PRODUCT_H_

#include <cstdint>

#include "worker/buffer.h"

namespace lockstep::worker {

/// C[M,N] = A[M,K] B[K,N] for few rows and a B that many products share: B is copied once into
/// panels, each as wide as three vectors and contiguous along K, so that a product reads it in
/// order and only once. For machines where oneDNN's matmul keeps no layout of its own and packs B
/// again at each call (AVX2). After Goto and van de Geijn 2008, "Anatomy of high-performance matrix
/// multiplication".
class PanelProduct {
 public:
  /// B[k, j] is at b[k * row_stride + j * column_stride].
  void Pack(int64_t n, int64_t k, const float* b, int64_t row_stride, int64_t column_stride);

  /// A has rows `a_stride` floats apart, C is dense. Threads share the panels; an element of C is
  /// summed in the order of K whatever the number of rows and threads.
  void Multiply(int64_t m, const float* a, int64_t a_stride, float* c, bool accumulate) const;

 private:
  int64_t n_ = 0, k_ = 0;
  int64_t panel_width_ = 0;
  Buffer panels_;  // [ceil(N / width), K, width], zeros behind the last column
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_PANEL_PRODUCT_H_
