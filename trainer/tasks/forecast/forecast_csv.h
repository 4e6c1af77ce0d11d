#ifndef LOCKSTEP_TRAINER_TASKS_FORECAST_FORECAST_CSV_H_
#define LOCKSTEP_TRAINER_TASKS_FORECAST_FORECAST_CSV_H_

#include <ostream>
#include <span>
#include <string>
#include <string_view>
#include <vector>

namespace lockstep::trainer {

/// Writes forecasts as CSV (RFC 4180, but lines end in LF): a header, then a row for each step,
/// series and channel.
///
///   time,series,channel,mean,q0.1,q0.5,q0.9,truth
///   2017-10-24 20:00:00,etth1,OT,7.25,5.5,7.125,9,6.964
///
/// Numbers have up to 10 significant digits, more than a float of the dataset holds; truth the
/// fewest that read back as the same float. The point is a point in any locale. A NaN is an empty
/// field, an infinity inf or -inf.
class ForecastCsv {
 public:
  /// Writes the header. `out` must outlive this; its state tells of errors.
  ForecastCsv(std::ostream& out, std::span<const double> levels, bool with_truth = false);

  /// `quantiles`: one for each level, else std::invalid_argument. `truth` is looked at only where
  /// there is a column for it.
  void Row(std::string_view time, std::string_view series, std::string_view channel, double mean,
           std::span<const double> quantiles, float truth = 0.0f);

 private:
  std::ostream& out_;
  const size_t levels_;
  const bool with_truth_;
  std::string line_;  // kept for its memory
};

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_FORECAST_FORECAST_CSV_H_
