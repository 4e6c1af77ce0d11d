#ifndef LOCKSTEP_TRAINER_TASKS_FORECAST_FORECAST_SOURCE_H_
#define LOCKSTEP_TRAINER_TASKS_FORECAST_FORECAST_SOURCE_H_

#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "trainer/tasks/forecast/forecaster_checkpoint.h"
#include "trainer/tasks/forecast/series_data.h"

namespace lockstep::trainer {

/// What a forecast goes out from.
struct ForecastSource {
  /// A dataset of `lockstep import`, or a table that an import can read ("-": standard input);
  /// empty: the dataset that the model was trained on.
  std::filesystem::path data;
  /// Of a table of several series: the column that names the series of a row. Empty: there is none.
  std::optional<std::string> series_column;
  bool decimal_comma = false;  ///< of a table: 1,5 is a number
};

/// Series in the units of a checkpoint.
struct ForecastData {
  std::unique_ptr<SeriesData> series;
  std::string name;  ///< for messages: a path, or "standard input"
  /// Ids of series that the checkpoint does not know: they have the scale of their own rows.
  std::vector<std::string> unknown;
};

/// Opens the source. A table is imported, with its columns in the roles that they had in training
/// and all rows to learn from, into a folder in TMPDIR that is gone when this returns or throws.
/// UsageError where the source is missing or does not fit; io's errors.
ForecastData OpenForecastData(const ForecastSource& source, const ForecasterCheckpoint& checkpoint);

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_FORECAST_FORECAST_SOURCE_H_
