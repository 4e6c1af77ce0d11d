#include "worker/losses/distribution.h"

#include <algorithm>
#include <cmath>
#include <numbers>
#include <stdexcept>
#include <vector>

#include "worker/losses/special_functions.h"

namespace lockstep::worker {
namespace {

using Kind = ForecastLoss::Kind;

constexpr double kLeast = 1e-4;  // keeps deviations and means away from 0

// Location, deviation and degrees of freedom of the Gaussian and Student's t.
double Location(const RawValue& v) { return v.centre + v.scale * v[0]; }
double Deviation(const RawValue& v) { return v.scale * (Softplus(v[1]) + kLeast); }
double Freedom(const RawValue& v) { return 2.0 + Softplus(v[2]); }

double CountMean(const RawValue& v) { return v.scale * (Softplus(v[0]) + kLeast); }
double CountAlpha(const RawValue& v) { return (Softplus(v[1]) + kLeast) / std::sqrt(v.scale); }

double GaussianLoss(const RawValue& v, double y, double* d_raw) {
  const double sigma = Deviation(v), z = (y - Location(v)) / sigma;
  d_raw[0] = -z * v.scale / sigma;
  d_raw[1] = (1.0 - z * z) * v.scale / sigma * Logistic(v[1]);
  return 0.5 * z * z + std::log(sigma) + 0.5 * std::log(2.0 * std::numbers::pi);
}

double StudentTLoss(const RawValue& v, double y, double* d_raw) {
  const double sigma = Deviation(v), nu = Freedom(v), z = (y - Location(v)) / sigma;
  const double weight = (nu + 1.0) / (nu + z * z), tail = std::log1p(z * z / nu);
  d_raw[0] = -weight * z * v.scale / sigma;
  d_raw[1] = (1.0 - weight * z * z) * v.scale / sigma * Logistic(v[1]);
  d_raw[2] =
      0.5 *
      (Digamma(0.5 * nu) - Digamma(0.5 * (nu + 1.0)) + 1.0 / nu + tail - weight * z * z / nu) *
      Logistic(v[2]);
  return std::lgamma(0.5 * nu) - std::lgamma(0.5 * (nu + 1.0)) +
         0.5 * std::log(nu * std::numbers::pi) + std::log(sigma) + 0.5 * (nu + 1.0) * tail;
}

double NegativeBinomialLoss(const RawValue& v, double y, double* d_raw) {
  const double mean = CountMean(v), alpha = CountAlpha(v), r = 1.0 / alpha;
  const double d_mean = (1.0 + alpha * y) / (1.0 + alpha * mean) - y / mean;
  const double d_r =
      Digamma(r) - Digamma(y + r) + std::log1p(alpha * mean) + (y - mean) / (r + mean);
  d_raw[0] = d_mean * v.scale * Logistic(v[0]);
  d_raw[1] = -d_r * r * r / std::sqrt(v.scale) * Logistic(v[1]);
  return std::lgamma(r) + std::lgamma(y + 1.0) - std::lgamma(y + r) + r * std::log1p(alpha * mean) -
         y * std::log(alpha * mean / (1.0 + alpha * mean));
}

double InterpolatedQuantile(const ForecastLoss& loss, const RawValue& v, double level) {
  // Raw quantiles may cross: in their order they are a distribution (Chernozhukov et al. 2010).
  std::vector<double> values;
  for (int64_t p = 0; p < loss.outputs(); ++p) values.push_back(v[p]);
  std::ranges::sort(values);
  const auto above = std::ranges::upper_bound(loss.levels, level) - loss.levels.begin();
  double raw;
  if (above == 0) {
    raw = values.front();
  } else if (above == std::ssize(values)) {
    raw = values.back();
  } else {
    const double below = loss.levels[above - 1];
    const double part = (level - below) / (loss.levels[above] - below);
    raw = values[above - 1] + part * (values[above] - values[above - 1]);
  }
  return v.centre + v.scale * raw;
}

}  // namespace

double NegativeLogLikelihood(Kind kind, const RawValue& value, double y, double* d_raw) {
  switch (kind) {
    case Kind::kGaussian:
      return GaussianLoss(value, y, d_raw);
    case Kind::kStudentT:
      return StudentTLoss(value, y, d_raw);
    case Kind::kNegativeBinomial:
      return NegativeBinomialLoss(value, y, d_raw);
    case Kind::kMse:
    case Kind::kMae:
    case Kind::kHuber:
    case Kind::kQuantiles:
      break;
  }
  throw std::logic_error("a loss without a likelihood");
}

double PredictedMean(const ForecastLoss& loss, const RawValue& value) {
  switch (loss.kind) {
    case Kind::kMse:
    case Kind::kMae:
    case Kind::kHuber:
    case Kind::kGaussian:
    case Kind::kStudentT:
      return Location(value);
    case Kind::kNegativeBinomial:
      return CountMean(value);
    case Kind::kQuantiles:
      return InterpolatedQuantile(loss, value, 0.5);
  }
  throw std::logic_error("a forecast loss that is not implemented");
}

QuantileOf::QuantileOf(const ForecastLoss& loss, double level) : loss_(loss), level_(level) {
  if (loss.kind == Kind::kGaussian) normal_ = NormalQuantile(level);
}

double QuantileOf::operator()(const RawValue& value) const {
  switch (loss_.kind) {
    case Kind::kMse:
    case Kind::kMae:
    case Kind::kHuber:
      return Location(value);
    case Kind::kGaussian:
      return Location(value) + Deviation(value) * normal_;
    case Kind::kStudentT:
      return Location(value) + Deviation(value) * StudentTQuantile(Freedom(value), level_);
    case Kind::kNegativeBinomial:
      return NegativeBinomialQuantile(CountMean(value), CountAlpha(value), level_);
    case Kind::kQuantiles:
      return InterpolatedQuantile(loss_, value, level_);
  }
  throw std::logic_error("a forecast loss that is not implemented");
}

double DrawValue(const ForecastLoss& loss, const RawValue& value, const PhiloxCounter& words) {
  const double u = UniformDouble(words[0], words[1]);
  const double angle = 2.0 * std::numbers::pi * UniformDouble(words[2], words[3]);
  switch (loss.kind) {
    case Kind::kMse:
    case Kind::kMae:
    case Kind::kHuber:
      return Location(value);
    case Kind::kGaussian:
      return Location(value) +
             Deviation(value) * std::sqrt(-2.0 * std::log1p(-u)) * std::cos(angle);
    case Kind::kStudentT: {
      const double nu = Freedom(value);
      // sqrt(nu (w^(-2 / nu) - 1)) for w = 1 - u, which is never 0.
      const double radius = std::sqrt(nu * std::expm1(-2.0 / nu * std::log1p(-u)));
      return Location(value) + Deviation(value) * radius * std::cos(angle);
    }
    case Kind::kNegativeBinomial:
    case Kind::kQuantiles:
      return QuantileOf(loss, std::max(u, 0x1.0p-54))(value);
  }
  throw std::logic_error("a forecast loss that is not implemented");
}

}  // namespace lockstep::worker
