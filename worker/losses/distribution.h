#ifndef LOCKSTEP_WORKER_LOSSES_DISTRIBUTION_H_
#define LOCKSTEP_WORKER_LOSSES_DISTRIBUTION_H_

#include <cstdint>

#include "worker/losses/forecast_loss.h"
#include "worker/philox.h"

namespace lockstep::worker {

/// Most raw outputs of a parametric distribution.
constexpr int kMostOutputs = 3;

/// The raw outputs of one value, `stride` floats apart, and its window's centre and scale.
struct RawValue {
  const float* raw = nullptr;
  int64_t stride = 1;
  double centre = 0.0;
  double scale = 1.0;
  double operator[](int64_t output) const { return raw[output * stride]; }
};

/// -log of the density (of counts: the probability) at y, by the formulas of ForecastLoss; writes
/// its derivatives by the raw outputs to d_raw [P]. kGaussian, kStudentT and kNegativeBinomial.
double NegativeLogLikelihood(ForecastLoss::Kind kind, const RawValue& value, double y,
                             double* d_raw);

/// What is predicted for the value, in the units of y: of points the point, of quantiles the
/// median.
double PredictedMean(const ForecastLoss& loss, const RawValue& value);

/// The quantile of one level in (0, 1). Of points the point; kQuantiles: interpolated linearly
/// between the loss's levels, outside of them the outermost one.
class QuantileOf {
 public:
  /// `loss` must outlive this.
  QuantileOf(const ForecastLoss& loss, double level);
  double operator()(const RawValue& value) const;

 private:
  const ForecastLoss& loss_;
  const double level_;
  double normal_ = 0.0;  // the normal distribution's quantile
};

/// A draw from the distribution that is a pure function of four random words. Normal by Box and
/// Muller 1958, Student's t by Bailey 1994, the others by their quantiles.
double DrawValue(const ForecastLoss& loss, const RawValue& value, const PhiloxCounter& words);

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_LOSSES_DISTRIBUTION_H_
