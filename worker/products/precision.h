#ifndef LOCKSTEP_WORKER_PRODUCTS_PRECISION_H_
#define LOCKSTEP_WORKER_PRODUCTS_PRECISION_H_

namespace lockstep::worker {

/// What the operands of matrix products are rounded to. Sums are taken in float32 either way, and
/// all that is not an operand of a product stays as it is: parameters, states, gradients.
enum class Precision { kFloat32, kBf16 };

/// Of all later products of this process; kFloat32 from the start. A pass and its way back must be
/// under one.
void SetProductPrecision(Precision precision);
Precision ProductPrecision();

/// While one lives, products are of this precision.
class PrecisionScope {
 public:
  explicit PrecisionScope(Precision precision) : before_(ProductPrecision()) {
    SetProductPrecision(precision);
  }
  ~PrecisionScope() { SetProductPrecision(before_); }
  PrecisionScope(const PrecisionScope&) = delete;
  PrecisionScope& operator=(const PrecisionScope&) = delete;

 private:
  const Precision before_;
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_PRODUCTS_PRECISION_H_
