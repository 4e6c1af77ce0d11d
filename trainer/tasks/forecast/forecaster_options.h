#ifndef LOCKSTEP_TRAINER_TASKS_FORECAST_FORECASTER_OPTIONS_H_
#define LOCKSTEP_TRAINER_TASKS_FORECAST_FORECASTER_OPTIONS_H_

#include "proto/run_config.h"
#include "trainer/tasks/forecast/series_data.h"
#include "worker/models/forecaster.h"

namespace lockstep::trainer {

/// The forecaster that a configuration asks for, on these data. UsageError where it cannot be.
worker::ForecasterOptions ForecasterOptions(const proto::RunConfig& config, const SeriesData& data);

/// Rows of a season: task.forecast.season, or by the frequency of the data.
int64_t SeasonOf(const proto::Forecast& config, const SeriesData& data);

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_FORECAST_FORECASTER_OPTIONS_H_
