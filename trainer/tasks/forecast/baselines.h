#ifndef LOCKSTEP_TRAINER_TASKS_FORECAST_BASELINES_H_
#define LOCKSTEP_TRAINER_TASKS_FORECAST_BASELINES_H_

#include <cstdint>
#include <span>
#include <vector>

namespace lockstep::trainer {

/// Forecasts that a model must beat. history is [T_h, B, C], NaN where nothing was observed;
/// forecast is [T_f, B, C] with `columns` = B * C; both row-major. Throws std::invalid_argument
/// where a size is no multiple of `columns`.
///
/// Step h >= 1 of the horizon gets the value of the latest row of the history that lies a multiple
/// of `season` rows before it and was observed (Hyndman and Athanasopoulos, Forecasting, 5.2).
/// Where there is none, because the history is shorter than a season or has a hole there, it gets
/// the last observed value; where nothing was observed, 0, which in scaled values is the mean of
/// the training rows. season >= 1.
void SeasonalNaiveForecast(std::span<const float> history, int64_t columns, int64_t season,
                           std::span<float> forecast);

/// The last observed value for the whole horizon: a season of one row.
void PersistenceForecast(std::span<const float> history, int64_t columns,
                         std::span<float> forecast);

/// The denominator of MASE: the mean of |y[t] - y[t - season]| over the training rows of one
/// series, for each channel (Hyndman and Koehler 2006), in their unit. The rows may come in pieces
/// of any lengths; keeps the last `season` of them.
class SeasonalNaiveError {
 public:
  /// Both >= 1.
  SeasonalNaiveError(int64_t channels, int64_t season);

  /// The next rows, [n, C]. Pairs with a NaN do not count.
  void Add(std::span<const float> rows);

  /// Over all rows up to now. Without a pair of observed rows a season apart, that of
  /// neighbouring rows (as GluonTS does for short series); NaN without such a pair, either.
  double Mean(int64_t channel) const;

 private:
  struct Sum {
    double absolute = 0.0;
    int64_t pairs = 0;
  };

  const int64_t channels_, season_;
  int64_t rows_ = 0;
  std::vector<float> last_;                   // [season, C], row t at t % season
  std::vector<Sum> seasonal_, neighbouring_;  // [C]
};

/// Rows in a season of regular rows, `step_months` calendar months apart, or where that is 0,
/// `step_seconds` seconds: a day of minutes or hours, a week of days, a year of weeks, months or
/// quarters. A step of several units divides that (15 minutes: 96); 1 where it does not go in, and
/// for all other steps. As get_seasonality of GluonTS, which has 1 for days and weeks, though.
int64_t DefaultSeason(int64_t step_seconds, int64_t step_months);

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_FORECAST_BASELINES_H_
