#ifndef LOCKSTEP_WORKER_PRODUCTS_GEMM_H_
#define LOCKSTEP_WORKER_PRODUCTS_GEMM_H_

#include <cstdint>
#include <functional>
#include <map>
#include <memory>
#include <string>

#include "worker/products/ahead.h"
#include "worker/products/precision.h"

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
/// same shapes, machine and number of threads. M, N and K are positive. Source: oneDNN's matmul
/// primitive; where that has none or only reference code for these very operands, or is slower
/// (many rows: PanelProduct::IsFastest), worker/products/panel_product.h. Operands are taken as
/// ProductPrecision() says, bias and C as they are.
void MatMul(int64_t m, int64_t n, int64_t k, Matrix a, Matrix b, float* c, int64_t c_stride,
            bool accumulate = false, const float* bias = nullptr);

/// The gradients of a linear map y = W x + b: gradient [outputs, inputs] += d^T x, for d [rows,
/// outputs] with rows `d_stride` floats apart and dense rows of x [rows, inputs], and, unless it is
/// nullptr, bias_gradient [outputs] += the column sums of d, as it is: by AddColumnSums, or, where
/// panels sum on the way, of some hundred rows at a time. Else as MatMul.
void AddLinearGradients(int64_t rows, int64_t outputs, int64_t inputs, const float* d,
                        int64_t d_stride, const float* x, float* gradient, float* bias_gradient);

/// Whether a B [K,N] that several MatMul of so many rows (M) share is better packed once for all of
/// them, by PackedMatrix::PackForAnyRows: where panels would multiply, which 512 rows are enough
/// for on up to ten threads (AVX-512; AVX2: five).
bool PaysToPack(int64_t m, int64_t n, int64_t k);

/// While one lives, the products of MatMul are taken to be of numbers of rows that differ from pass
/// to pass: what is prepared for one serves all that differ in M and K only. Without it each shape
/// is prepared by itself, in up to 1 ms. Scopes nest. Which of both ways a product takes may change
/// its roundings, so that the same pass must always be under one or never.
class VaryingRows {
 public:
  explicit VaryingRows(bool on = true);
  ~VaryingRows();
  VaryingRows(const VaryingRows&) = delete;
  VaryingRows& operator=(const VaryingRows&) = delete;

  static bool IsOn();

 private:
  const bool on_;
};

struct ProductShape;

/// A right operand B[K,N] that many products share: laid out once as the product's kernel likes it
/// best. That is worker/products/panel_product.h; in bf16 by instructions for it, for products of
/// one shape, oneDNN's layout where it has one for these very operands on this machine. Of the
/// precision that it was packed under.
class PackedMatrix {
 public:
  PackedMatrix();
  ~PackedMatrix();
  PackedMatrix(PackedMatrix&&) noexcept;
  PackedMatrix& operator=(PackedMatrix&&) noexcept;

  /// Copies B. The products to come have M rows of A, `a_stride` floats apart; or fewer where
  /// threads_may_share().
  void Pack(int64_t m, int64_t n, int64_t k, int64_t a_stride, Matrix b);
  /// Copies B. The products to come have any number of rows, `c_stride` floats apart in C (0: they
  /// are dense); a row's bits do not depend on the others.
  void PackForAnyRows(int64_t n, int64_t k, int64_t a_stride, Matrix b, int64_t c_stride = 0);

  /// Whether threads may multiply by it at once, each on its own: panels are only read (and an
  /// empty one is not).
  bool threads_may_share() const;

  /// C[M,N] = A[M,K] B, or C += A B, with rows of A as said to Pack and dense rows of C.
  void Multiply(const float* a, float* c, bool accumulate = false) const;
  /// The same with `rows` rows: any number after PackForAnyRows, else as said to Pack. bias [N] is
  /// added to every row; only after PackForAnyRows and not together with `accumulate`. What is
  /// `ahead` is a hint.
  void Multiply(int64_t rows, const float* a, float* c, bool accumulate = false,
                const float* bias = nullptr, const Ahead& ahead = {}) const;

 private:
  struct Impl;
  void Pack(ProductShape shape, Matrix b);
  std::unique_ptr<Impl> impl_;
};

/// What a product is prepared for: its operands but for their addresses.
struct ProductShape {
  int64_t m = 0, n = 0, k = 0;  ///< m is 0 where a PackedMatrix takes any number of rows
  int64_t a_stride = 0, b_stride = 0, c_stride = 0;
  bool a_transposed = false, b_transposed = false;
  bool accumulate = false, bias = false;
  bool packed = false;                        ///< a PackedMatrix's; B as it was given to Pack
  Precision precision = Precision::kFloat32;  ///< also of rounded operands
  auto operator<=>(const ProductShape&) const = default;
};

/// What multiplies, by its own name, and how many products were prepared for it so far: oneDNN's
/// implementation ("oneDNN gemm:jit", "oneDNN brg:avx512_core") or "panels AVX2"; with " in bf16"
/// where instructions for it multiply. One thread calls.
const std::map<std::string, int64_t>& ProductEngines();

/// Whether an engine of that name computes without vectors: many times slower than it should.
bool IsReferenceEngine(const std::string& engine);

/// Calls `observer` for every product that is prepared from now on; an empty one ends it. For
/// tests.
void ObserveProducts(std::function<void(const ProductShape&, const std::string& engine)> observer);

/// "2.6.3, AVX-512" and the like: oneDNN's version and the widest instruction set it may use here.
std::string GemmDescription();

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_PRODUCTS_GEMM_H_
