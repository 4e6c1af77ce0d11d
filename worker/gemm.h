#ifndef LOCKSTEP_WORKER_GEMM_H_
#define LOCKSTEP_WORKER_GEMM_H_

#include <cstdint>
#include <memory>
#include <string>

namespace lockstep::worker {

/// A float32 matrix operand, borrowed. As stored it is row-major with `stride` floats from one row
/// to the next; with `transposed` the product sees its transpose.
struct Matrix {
  const float* data = nullptr;
  int64_t stride = 0;
  bool transposed = false;
};

/// C[M,N] = A[M,K] B[K,N] (+ bias[N]) or, with `accumulate`, C += A B. C is row-major with rows
/// `c_stride` floats apart. A and B are given as stored, M, N and K as the product sees them. Runs
/// on the calling thread's OpenMP threads; one product at a time. Bit for bit reproducible for the
/// same shapes, machine and number of threads. Source: oneDNN's matmul primitive.
void MatMul(int64_t m, int64_t n, int64_t k, Matrix a, Matrix b, float* c, int64_t c_stride,
            bool accumulate = false, const float* bias = nullptr);

/// A right operand B[K,N] that many products of the same shape share: laid out once as the
/// product's kernel likes it best. That is oneDNN's layout where it has one on this machine
/// (AVX-512), else worker/panel_product.h.
class PackedMatrix {
 public:
  PackedMatrix();
  ~PackedMatrix();
  PackedMatrix(PackedMatrix&&) noexcept;
  PackedMatrix& operator=(PackedMatrix&&) noexcept;

  /// Copies B.
  void Pack(int64_t m, int64_t n, int64_t k, Matrix b);

  /// C[M,N] = A[M,K] B, or C += A B, with dense rows of A (`a_stride` floats apart) and C (N floats
  /// apart).
  void Multiply(const float* a, int64_t a_stride, float* c, bool accumulate = false) const;

 private:
  struct Impl;
  std::unique_ptr<Impl> impl_;
};

/// "2.6.3, AVX-512" and the like: oneDNN's version and the widest instruction set it may use here.
std::string GemmDescription();

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_GEMM_H_
