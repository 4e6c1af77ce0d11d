#include "worker/models/forecast_window.h"

#include <cmath>
#include <stdexcept>

namespace lockstep::worker {
namespace {

constexpr double kRevInEpsilon = 1e-5;

// Of the observed values of one series.
struct Moments {
  int64_t count = 0;
  double last = 0.0, mean = 0.0, variance = 0.0;
};

Moments MomentsOf(int64_t time_steps, int64_t stride, const float* x) {
  Moments moments;
  for (int64_t t = 0; t < time_steps; ++t) {
    const double value = x[t * stride];
    if (std::isnan(value)) continue;
    moments.last = value;
    moments.mean += value;
    ++moments.count;
  }
  if (moments.count == 0) return moments;
  const double count = static_cast<double>(moments.count);
  moments.mean /= count;
  for (int64_t t = 0; t < time_steps; ++t) {
    const double distance = x[t * stride] - moments.mean;
    if (!std::isnan(distance)) moments.variance += distance * distance;
  }
  moments.variance /= count;
  return moments;
}

}  // namespace

WindowScaling::WindowScaling(Normalization normalization, ForecastLoss::Kind loss)
    : normalization_(normalization), counts_(loss == ForecastLoss::Kind::kNegativeBinomial) {}

void WindowScaling::Learn(int64_t time_steps, int64_t series, const float* history) {
  centre_.assign(series, 0.0f);
  scale_.assign(series, 1.0f);
  if (normalization_ == Normalization::kNone) return;
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < series; ++i) {
    const Moments moments = MomentsOf(time_steps, series, history + i);
    if (moments.count == 0) continue;
    switch (normalization_) {
      case Normalization::kNone:
        break;
      case Normalization::kLast:
        centre_[i] = static_cast<float>(moments.last);
        break;
      case Normalization::kMeanAndDeviation:
        scale_[i] = static_cast<float>(std::sqrt(moments.variance + kRevInEpsilon));
        [[fallthrough]];
      case Normalization::kMean:
        if (counts_) {
          scale_[i] = static_cast<float>(1.0 + moments.mean);
        } else {
          centre_[i] = static_cast<float>(moments.mean);
        }
        break;
    }
  }
}

void WindowScaling::Apply(int64_t time_steps, const float* x, float* out, float* missing) const {
  const int64_t series = static_cast<int64_t>(centre_.size());
#pragma omp parallel for schedule(static)
  for (int64_t t = 0; t < time_steps; ++t) {
    const float* from = x + t * series;
    float* to = out + t * series;
    for (int64_t i = 0; i < series; ++i) {
      to[i] = from[i] == from[i] ? (from[i] - centre_[i]) / scale_[i] : 0.0f;
    }
    for (int64_t i = 0; i < series && missing; ++i) {
      missing[t * series + i] = from[i] == from[i] ? 0.0f : 1.0f;
    }
  }
}

}  // namespace lockstep::worker
