#ifndef LOCKSTEP_TRAINER_TASKS_FORECAST_FORECAST_RESULTS_H_
#define LOCKSTEP_TRAINER_TASKS_FORECAST_FORECAST_RESULTS_H_

#include <cstdint>
#include <filesystem>
#include <optional>
#include <span>
#include <sstream>
#include <vector>

#include "io/datasets/series_dataset.h"
#include "trainer/tasks/forecast/forecast_csv.h"
#include "trainer/tasks/forecast/forecast_prediction.h"
#include "trainer/tasks/forecast/panel_drawing.h"
#include "trainer/terminal/output_file.h"

namespace lockstep::trainer {

/// What the results of a forecast have in common.
struct ForecastResultOptions {
  int64_t horizon = 1;
  std::vector<double> levels;  ///< of the quantiles
  bool with_truth = false;     ///< the rows of the horizon are there
};

/// Forecasts as CSV, window by window; each in the order of time, then of channels.
class ForecastTable {
 public:
  /// "-": standard output. `dataset` must outlive this. OutputFile's errors.
  ForecastTable(const std::filesystem::path& path, const io::SeriesDataset& dataset,
                const ForecastResultOptions& options);

  void Add(const PredictedWindow& predicted);
  /// Makes the file appear.
  void Finish();

 private:
  const io::SeriesDataset& dataset_;
  const ForecastResultOptions options_;
  OutputFile file_;
  std::ostringstream text_;
  ForecastCsv csv_;
};

/// A window as a picture shows it, one panel for each channel: three horizons of history (48 rows
/// at least, where they are there), and an interval for each two levels q and 1 - q.
std::vector<ForecastPanel> ForecastPanels(const PredictedWindow& predicted,
                                          const io::SeriesDataset& dataset,
                                          const ForecastResultOptions& options);

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_FORECAST_FORECAST_RESULTS_H_
