#include "trainer/tasks/forecast/forecast_metrics.h"

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>
#include <stdexcept>
#include <string>
#include <utility>

namespace lockstep::trainer {
namespace {

// The head of the sums; the pinball loss of each level follows.
enum Total { kAbsolute, kSquared, kSymmetric, kMase, kMaseCount, kTruth, kCovered, kTotals };

// Of one channel, truth y and forecast f without the channel's shift.
enum Moment { kCount, kY, kF, kYY, kFF, kYF, kMoments };

// Below this share of a sum of squares, what is left after the square of the mean is taken off is
// rounding: the values do not vary.
constexpr double kNoVariance = 1e-11;

int64_t IndexOf(const std::vector<double>& levels, double level) {
  // Levels may come from a configuration's floats.
  const auto at =
      std::ranges::find_if(levels, [&](double q) { return std::abs(q - level) < 1e-6; });
  return at == levels.end() ? -1 : at - levels.begin();
}

void RequireSize(const char* what, size_t size, int64_t expected) {
  if (size != static_cast<size_t>(expected)) {
    throw std::invalid_argument(std::string("forecast metrics: ") + what + " has " +
                                std::to_string(size) + " values instead of " +
                                std::to_string(expected));
  }
}

// Sum of (a - mean a) * (b - mean b).
double Centred(double product_sum, double a_sum, double b_sum, double count) {
  return product_sum - a_sum * b_sum / count;
}

double SumOfSquares(double square_sum, double sum, double count) {
  const double centred = Centred(square_sum, sum, sum, count);
  return centred <= kNoVariance * square_sum ? 0.0 : centred;
}

// Sum of (truth - m)^2 with one m for all channels: within each, then between them. Means are held
// against the first shift, so that an offset common to all costs no digits.
double SquaresAroundCommonMean(std::span<const double> moments, std::span<const double> shifts) {
  double count = 0.0, sum = 0.0, squares = 0.0, squared_means = 0.0;
  const auto sum_of = [&](const double* m, size_t c) {
    return m[kY] + m[kCount] * (shifts[c] - shifts[0]);
  };
  for (size_t c = 0; c < shifts.size(); ++c) {
    const double* m = moments.data() + c * kMoments;
    count += m[kCount];
    sum += sum_of(m, c);
  }
  for (size_t c = 0; c < shifts.size(); ++c) {
    const double* m = moments.data() + c * kMoments;
    if (m[kCount] == 0.0) continue;
    const double mean = sum_of(m, c) / m[kCount], apart = mean - sum / count;
    squares += SumOfSquares(m[kYY], m[kY], m[kCount]) + m[kCount] * apart * apart;
    squared_means += m[kCount] * mean * mean;
  }
  return squares <= kNoVariance * squared_means ? 0.0 : squares;
}

// None where the truth varies in no channel.
std::optional<double> MeanCorrelation(std::span<const double> moments, int64_t channels) {
  double sum = 0.0;
  int64_t varying = 0;
  for (int64_t c = 0; c < channels; ++c) {
    const double* m = moments.data() + c * kMoments;
    if (m[kCount] == 0.0) continue;
    const double truth = SumOfSquares(m[kYY], m[kY], m[kCount]);
    const double forecast = SumOfSquares(m[kFF], m[kF], m[kCount]);
    if (truth == 0.0) continue;
    ++varying;
    if (forecast == 0.0) continue;
    sum += Centred(m[kYF], m[kY], m[kF], m[kCount]) / std::sqrt(truth) / std::sqrt(forecast);
  }
  if (varying == 0) return std::nullopt;
  return sum / static_cast<double>(varying);
}

}  // namespace

// One item and channel in the unit of this object.
struct ForecastMetrics::Column {
  double mean, deviation, denominator;  // the last in the unit of the truth that is given
  bool has_denominator;
};

ForecastMetrics::ForecastMetrics(int64_t channels, std::vector<double> levels,
                                 std::vector<double> shifts)
    : channels_(channels),
      levels_(std::move(levels)),
      shifts_(shifts.empty() ? std::vector<double>(channels, 0.0) : std::move(shifts)),
      low_(IndexOf(levels_, 0.1)),
      high_(IndexOf(levels_, 0.9)),
      sums_(kTotals + levels_.size() + channels * kMoments, 0.0) {
  RequireSize("shifts", shifts_.size(), channels);
}

void ForecastMetrics::Add(const ForecastWindows& w, const UnitMap& map) {
  const int64_t columns = w.items * w.channels, values = w.horizon * columns;
  const auto levels = static_cast<int64_t>(levels_.size());
  if (w.channels != channels_) RequireSize("a row", w.channels, channels_);
  RequireSize("truth", w.truth.size(), values);
  RequireSize("mean", w.mean.size(), values);
  RequireSize("quantiles", w.quantiles.size(), levels * values);
  if (!w.mase_denominators.empty()) {
    RequireSize("mase_denominators", w.mase_denominators.size(), columns);
  }
  const bool mapped = !map.mean.empty() || !map.deviation.empty();
  if (mapped) {
    RequireSize("the map's mean", map.mean.size(), columns);
    RequireSize("the map's deviation", map.deviation.size(), columns);
  }
  for (int64_t b = 0; b < w.items; ++b) {
    for (int64_t c = 0; c < channels_; ++c) {
      const int64_t i = b * channels_ + c;
      Column column{0.0, 1.0, std::nan(""), false};
      if (mapped) column.mean = map.mean[i], column.deviation = map.deviation[i];
      if (!w.mase_denominators.empty()) column.denominator = w.mase_denominators[i];
      column.has_denominator = column.denominator > 0.0 && std::isfinite(column.denominator);
      AddColumn(w, b, c, column);
    }
  }
}

// The sums of a column are taken by themselves first: one long sum over all values would gather
// rounding errors in proportion to their number.
void ForecastMetrics::AddColumn(const ForecastWindows& w, int64_t item, int64_t channel,
                                const Column& column) {
  std::array<double, kTotals> totals{};
  std::array<double, kMoments> moments{};
  const double centre = column.mean - shifts_[channel];
  for (int64_t t = 0; t < w.horizon; ++t) {
    const int64_t i = (t * w.items + item) * channels_ + channel;
    if (std::isnan(w.truth[i])) continue;
    // Differences before the map: an offset that both have would take their digits.
    const double given = w.truth[i], forecast = w.mean[i];
    const double distance = std::abs(forecast - given);
    const double error = column.deviation * distance;
    const double y = column.deviation * given + centre, f = column.deviation * forecast + centre;
    const double truth_size = std::abs(column.deviation * given + column.mean);
    const double sizes = truth_size + std::abs(column.deviation * forecast + column.mean);
    totals[kAbsolute] += error;
    totals[kSquared] += error * error;
    if (sizes != 0.0) totals[kSymmetric] += error / sizes;
    if (column.has_denominator) {
      totals[kMase] += distance / column.denominator;
      totals[kMaseCount] += 1.0;
    }
    totals[kTruth] += truth_size;
    moments[kCount] += 1.0;
    moments[kY] += y;
    moments[kF] += f;
    moments[kYY] += y * y;
    moments[kFF] += f * f;
    moments[kYF] += y * f;
  }
  for (int i = 0; i < kTotals; ++i) sums_[i] += totals[i];
  double* of_channel = sums_.data() + kTotals + levels_.size() + channel * kMoments;
  for (int i = 0; i < kMoments; ++i) of_channel[i] += moments[i];
  AddQuantiles(w, item * channels_ + channel, channel, column);
}

void ForecastMetrics::AddQuantiles(const ForecastWindows& w, int64_t index, int64_t channel,
                                   const Column& column) {
  const int64_t columns = w.items * channels_, values = w.horizon * columns;
  for (size_t level = 0; level < levels_.size(); ++level) {
    const float* quantiles = w.quantiles.data() + static_cast<int64_t>(level) * values;
    double pinball = 0.0;
    for (int64_t i = index; i < values; i += columns) {
      if (std::isnan(w.truth[i])) continue;
      const double above = static_cast<double>(w.truth[i]) - quantiles[i];
      pinball += above * (levels_[level] - (above <= 0.0 ? 1.0 : 0.0));
    }
    sums_[kTotals + level] += column.deviation * pinball;
  }
  if (low_ < 0 || high_ < 0) return;
  for (int64_t i = index; i < values; i += columns) {
    if (w.truth[i] >= w.quantiles[low_ * values + i] &&
        w.truth[i] <= w.quantiles[high_ * values + i]) {
      sums_[kCovered] += 1.0;
    }
  }
}

std::vector<NamedMetric> ForecastMetrics::Finish(std::span<const double> sums) const {
  RequireSize("the vector of sums", sums.size(), static_cast<int64_t>(sums_.size()));
  const auto moments = sums.subspan(kTotals + levels_.size());
  double count = 0.0;
  for (int64_t c = 0; c < channels_; ++c) count += moments[c * kMoments + kCount];
  if (count == 0.0) return {{"count", 0.0}};

  const double mse = sums[kSquared] / count;
  std::vector<NamedMetric> metrics = {
      {"mse", mse}, {"mae", sums[kAbsolute] / count}, {"rmse", std::sqrt(mse)}};
  if (sums[kMaseCount] > 0.0) metrics.push_back({"mase", sums[kMase] / sums[kMaseCount]});
  metrics.push_back({"smape", 200.0 * sums[kSymmetric] / count});
  const double squares = SquaresAroundCommonMean(moments, shifts_);
  if (squares != 0.0) metrics.push_back({"rse", std::sqrt(sums[kSquared] / squares)});
  const std::optional<double> correlation = MeanCorrelation(moments, channels_);
  if (correlation) metrics.push_back({"corr", *correlation});
  if (!levels_.empty() && sums[kTruth] > 0.0) {
    double pinball = 0.0;
    for (size_t level = 0; level < levels_.size(); ++level) pinball += sums[kTotals + level];
    metrics.push_back({"wql", 2.0 * pinball / sums[kTruth] / static_cast<double>(levels_.size())});
  }
  if (low_ >= 0 && high_ >= 0) metrics.push_back({"coverage80", sums[kCovered] / count});
  metrics.push_back({"count", count});
  return metrics;
}

}  // namespace lockstep::trainer
