#ifndef LOCKSTEP_TRAINER_TASKS_FORECAST_FORECAST_COMMAND_H_
#define LOCKSTEP_TRAINER_TASKS_FORECAST_FORECAST_COMMAND_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include "trainer/exit_status.h"
#include "trainer/tasks/forecast/forecast_source.h"
#include "trainer/terminal/console.h"

namespace lockstep::trainer {

/// `lockstep forecast`, in one process.
struct ForecastArguments {
  std::filesystem::path checkpoint;
  ForecastSource source;
  std::vector<std::string> series;  ///< ids; empty: all
  int64_t samples = 100;            ///< paths of decodings that draw them
  uint64_t seed = 1;
  bool backtest = false;  ///< on the test split, beside the truth, instead of past the end
  /// Files to write, "-": standard output. Where both are empty, the table goes there.
  std::filesystem::path csv, plot;
  Console::Mode progress = Console::Mode::kAuto;
};
ExitStatus Forecast(const ForecastArguments& arguments);

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_FORECAST_FORECAST_COMMAND_H_
