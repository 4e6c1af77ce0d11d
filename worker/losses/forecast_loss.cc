#include "worker/losses/forecast_loss.h"

#include <algorithm>
#include <cmath>
#include <stdexcept>

#include "worker/losses/distribution.h"

namespace lockstep::worker {
namespace {

// The values of one row: n = J W of them; plane p of the raw outputs is raw[p n .. (p + 1) n).
struct Row {
  int64_t n;
  const float* targets;
  const float* centre;  // [n]
  const float* scale;   // [n]
  float* raw;
};

bool IsThere(float target) { return !std::isnan(target); }

// Losses of an error e = f - y: `value(e)` and `slope(e)`. Plain loops that become vectors.
template <class Value, class Slope>
double PointRow(const Row& row, bool gradient, const Value& value, const Slope& slope) {
  double sum = 0.0;
#pragma omp simd reduction(+ : sum)
  for (int64_t i = 0; i < row.n; ++i) {
    const float target = row.targets[i];
    const float error = row.centre[i] + row.scale[i] * row.raw[i] - target;
    const float e = target == target ? error : 0.0f;
    sum += value(e);
    if (gradient) row.raw[i] = row.scale[i] * slope(e);
  }
  return sum;
}

double HuberRow(const Row& row, bool gradient, float delta) {
  return PointRow(
      row, gradient,
      [delta](float e) {
        const float size = std::abs(e), inside = std::min(size, delta);
        return inside * (size - 0.5f * inside);
      },
      [delta](float e) { return std::min(std::max(e, -delta), delta); });
}

// One level's plane of the raw outputs at a time.
double QuantileRow(const Row& row, bool gradient, const std::vector<double>& levels) {
  double sum = 0.0;
  Row plane = row;
  for (const double level : levels) {
    // e = f - y: q (-e) below, (1 - q) e above.
    const float below = static_cast<float>(-level), above = static_cast<float>(1.0 - level);
    sum += PointRow(
        plane, gradient, [=](float e) { return std::max(below * e, above * e); },
        [=](float e) { return e > 0.0f   ? above
                              : e < 0.0f ? below
                                         : 0.0f; });
    plane.raw += row.n;
  }
  return sum;
}

double DistributionRow(const ForecastLoss& loss, const Row& row, bool gradient) {
  double sum = 0.0;
  const int64_t outputs = loss.outputs();
  for (int64_t i = 0; i < row.n; ++i) {
    double d_raw[kMostOutputs] = {};
    if (IsThere(row.targets[i])) {
      sum += NegativeLogLikelihood(loss.kind, {row.raw + i, row.n, row.centre[i], row.scale[i]},
                                   row.targets[i], d_raw);
    }
    for (int64_t p = 0; p < outputs && gradient; ++p) {
      row.raw[p * row.n + i] = static_cast<float>(d_raw[p]);
    }
  }
  return sum;
}

double LossOfRow(const ForecastLoss& loss, const Row& row, bool gradient) {
  switch (loss.kind) {
    case ForecastLoss::Kind::kMse:
      return PointRow(
          row, gradient, [](float e) { return e * e; }, [](float e) { return 2.0f * e; });
    case ForecastLoss::Kind::kMae:
      return PointRow(
          row, gradient, [](float e) { return std::abs(e); },
          [](float e) { return static_cast<float>((e > 0.0f) - (e < 0.0f)); });
    case ForecastLoss::Kind::kHuber:
      return HuberRow(row, gradient, static_cast<float>(loss.delta));
    case ForecastLoss::Kind::kQuantiles:
      return QuantileRow(row, gradient, loss.levels);
    case ForecastLoss::Kind::kGaussian:
    case ForecastLoss::Kind::kStudentT:
    case ForecastLoss::Kind::kNegativeBinomial:
      return DistributionRow(loss, row, gradient);
  }
  throw std::logic_error("a forecast loss that is not implemented");
}

}  // namespace

int64_t ForecastLoss::outputs() const {
  switch (kind) {
    case Kind::kMse:
    case Kind::kMae:
    case Kind::kHuber:
      return 1;
    case Kind::kGaussian:
    case Kind::kNegativeBinomial:
      return 2;
    case Kind::kStudentT:
      return 3;
    case Kind::kQuantiles:
      return static_cast<int64_t>(levels.size());
  }
  throw std::logic_error("a forecast loss that is not implemented");
}

bool ForecastLoss::is_distribution() const {
  switch (kind) {
    case Kind::kMse:
    case Kind::kMae:
    case Kind::kHuber:
      return false;
    case Kind::kGaussian:
    case Kind::kNegativeBinomial:
    case Kind::kStudentT:
    case Kind::kQuantiles:
      return true;
  }
  throw std::logic_error("a forecast loss that is not implemented");
}

std::string WhyImpossible(const ForecastLoss& loss) {
  if (loss.kind == ForecastLoss::Kind::kHuber && !(loss.delta > 0.0)) {
    return "delta of a Huber loss must be above 0";
  }
  if (loss.kind != ForecastLoss::Kind::kQuantiles) return "";
  if (loss.levels.empty()) return "a quantile loss needs levels";
  for (size_t i = 0; i < loss.levels.size(); ++i) {
    const double level = loss.levels[i];
    if (!(level > 0.0 && level < 1.0) || (i > 0 && level <= loss.levels[i - 1])) {
      return "levels of quantiles must be above 0, below 1 and increasing";
    }
  }
  return "";
}

ForecastSum SumLosses(const ForecastLoss& loss, const RawLayout& layout, const float* targets,
                      const float* centre, const float* scale, bool gradient, float* raw) {
  const int64_t n = layout.steps * layout.width, W = layout.width;
  const int64_t rows = layout.groups * layout.rows, outputs = loss.outputs();
  std::vector<double> losses(rows);
  std::vector<int64_t> counts(rows);
#pragma omp parallel
  {
    std::vector<float> centres(n), scales(n);
#pragma omp for schedule(static)
    for (int64_t row = 0; row < rows; ++row) {
      const int64_t window = row % layout.rows * W;
      for (int64_t i = 0; i < n; ++i) {
        centres[i] = centre[window + i % W];
        scales[i] = scale[window + i % W];
      }
      const Row of = {n, targets + row * n, centres.data(), scales.data(), raw + row * outputs * n};
      counts[row] = std::count_if(of.targets, of.targets + n, IsThere);
      losses[row] = LossOfRow(loss, of, gradient);
    }
  }
  ForecastSum sum;
  for (int64_t row = 0; row < rows; ++row) {
    sum.loss += losses[row];
    sum.targets += counts[row];
  }
  return sum;
}

}  // namespace lockstep::worker
