#ifndef LOCKSTEP_TRAINER_TASKS_FORECAST_FORECAST_METRICS_H_
#define LOCKSTEP_TRAINER_TASKS_FORECAST_FORECAST_METRICS_H_

#include <cstdint>
#include <span>
#include <string_view>
#include <vector>

namespace lockstep::trainer {

/// What was forecast for B items and what came. T_f steps of the horizon, C channels, Q quantile
/// levels; row-major; the spans must outlive the call only.
struct ForecastWindows {
  int64_t horizon = 0, items = 0, channels = 0;  // T_f, B, C
  std::span<const float> truth;                  ///< [T_f, B, C]; NaN: not observed, not counted
  std::span<const float> mean;                   ///< [T_f, B, C]
  std::span<const float> quantiles;  ///< [Q, T_f, B, C]; empty where there are no levels
  /// [B, C], in the unit of `truth`: mean absolute error of the seasonal naive forecast over the
  /// training rows of the item's series (SeasonalNaiveError). One that is not finite or not above 0
  /// does not count for MASE; empty: none does.
  std::span<const double> mase_denominators;
};

/// To another unit: value * deviation + mean, [B, C] each with deviation >= 0. Both empty: as it
/// is.
struct UnitMap {
  std::span<const double> mean, deviation;
};

struct NamedMetric {
  std::string_view name;
  double value = 0.0;
};

/// Gathers the errors of forecasts in one unit (one object for scaled values, one for the original
/// unit) as sums that ranks can add. All in double; e = forecast - truth over the counted values.
///
///   mse, mae, rmse  mean of e^2, of |e|, and the root of the first
///   mase            mean of |e| / denominator over the values that have one (Hyndman and Koehler
///                   2006; as GluonTS, but of the mean forecast)
///   smape           in percent: 200 * mean of |e| / (|truth| + |forecast|), 0 where both are 0
///                   (M4 competition; GluonTS gives a hundredth of it)
///   rse             root of: sum of e^2 / sum of (truth - m)^2, m the mean truth over all channels
///                   (Lai et al. 2018, equation 10)
///   corr            Pearson correlation of truth and forecast for each channel over all its items
///                   and steps, then the plain mean over the channels in which the truth varies; a
///                   forecast that does not vary counts as 0 (Lai et al. 2018, equation 11)
///   wql             mean over the levels q of 2 * sum of pinball(q) / sum of |truth|, pinball =
///                   (truth - quantile) * (q - [truth <= quantile]) (GluonTS, mean_wQuantileLoss)
///   coverage80      share of the truth inside [quantile 0.1, quantile 0.9], bounds included
///   count           values counted
///
/// A metric that is not defined is absent. A forecast that is NaN where there is a truth makes the
/// metrics that need it NaN, and lies outside every interval.
class ForecastMetrics {
 public:
  /// `levels`: of the quantile forecasts, each in (0, 1), none where there are none. `shifts`: [C],
  /// about the mean truth of each channel in this object's unit, the same on every rank; empty: 0.
  /// It is taken off before anything is squared and changes no metric but by rounding: without
  /// it, rse and corr lose their digits where the mean exceeds the deviation some thousand times.
  /// For the original unit: the scaling mean of the channel (over its items).
  ForecastMetrics(int64_t channels, std::vector<double> levels, std::vector<double> shifts = {});

  /// Adds windows. std::invalid_argument where shapes differ from each other or from this object.
  void Add(const ForecastWindows& windows, const UnitMap& map = {});

  /// Size depends on C and Q alone. The sums over several objects made alike, added element by
  /// element, are those of one object that was given all windows (up to rounding).
  std::span<const double> sums() const { return sums_; }

  /// The metrics of such sums in the order above. std::invalid_argument for another size.
  std::vector<NamedMetric> Finish(std::span<const double> sums) const;

 private:
  struct Column;
  void AddColumn(const ForecastWindows& windows, int64_t item, int64_t channel,
                 const Column& column);
  void AddQuantiles(const ForecastWindows& windows, int64_t index, int64_t channel,
                    const Column& column);

  const int64_t channels_;
  const std::vector<double> levels_;
  const std::vector<double> shifts_;
  int64_t low_ = -1, high_ = -1;  // indices of the levels 0.1 and 0.9
  std::vector<double> sums_;      // Total, levels, then Moment of each channel
};

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_FORECAST_FORECAST_METRICS_H_
