#ifndef LOCKSTEP_TRAINER_TASKS_FORECAST_FORECAST_STARTS_H_
#define LOCKSTEP_TRAINER_TASKS_FORECAST_FORECAST_STARTS_H_

#include <cstdint>
#include <span>
#include <string>
#include <vector>

#include "io/datasets/series_dataset.h"
#include "trainer/tasks/forecast/windows.h"

namespace lockstep::trainer {

/// What a forecast takes of a series.
struct ForecastNeeds {
  int64_t history = 1;
  int64_t horizon = 1;
  bool masks_inputs = false;  ///< a history may be shorter: values in front of it are missing
};

/// The time of a row as results have it: "2017-10-24 20:00:00"; its number where the rows of a
/// dataset are only numbered.
std::string RowText(const io::SeriesDataset& dataset, uint64_t series, int64_t row);

/// The numbers of the series with these ids, in their order in the dataset; of all where there are
/// no ids. UsageError for an id that is not there.
std::vector<uint64_t> ChosenSeries(const io::SeriesDataset& dataset,
                                   std::span<const std::string> ids);

/// The windows behind the last row with values of each of these series. Those that have fewer rows
/// than the history are left out, and `left_out` tells of them; UsageError where that is all of
/// them. UsageError that names the rows whose known covariates are not given for all of the
/// horizon; `name` is that of the data.
std::vector<Window> WindowsPastTheEnd(const io::SeriesDataset& dataset, const std::string& name,
                                      std::span<const uint64_t> series, const ForecastNeeds& needs,
                                      std::string* left_out);

/// The windows of the test split of these series that start every `horizon` rows, from its first.
/// UsageError where there are none.
std::vector<Window> WindowsOfBacktest(const io::SeriesDataset& dataset, const std::string& name,
                                      std::span<const uint64_t> series, const ForecastNeeds& needs);

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_FORECAST_FORECAST_STARTS_H_
