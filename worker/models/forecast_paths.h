#ifndef LOCKSTEP_WORKER_MODELS_FORECAST_PATHS_H_
#define LOCKSTEP_WORKER_MODELS_FORECAST_PATHS_H_

#include "worker/layers/recurrent_state.h"
#include "worker/losses/forecast_loss.h"
#include "worker/models/forecast_network.h"
#include "worker/models/forecast_window.h"
#include "worker/models/forecaster.h"

namespace lockstep::worker {

/// Mean and quantiles from raw outputs [G R, P, J, W] whose G J steps are the horizon.
void ForecastOutputs(const ForecastLoss& loss, const RawLayout& layout,
                     const WindowScaling& scaling, const float* raw, const ForecastRequest& request,
                     ForecastOutput& output);

/// The same from paths: behind `history`, whose last raw outputs are of the first step of the
/// horizon, each path feeds its own draws back. `state` (nullptr: zeros) is that before the
/// history.
void ForecastPaths(const ForecasterOptions& options, ForecastNetwork& network,
                   const WindowScaling& scaling, const NetworkInput& history,
                   const RecurrentState* state, const ForecastRequest& request,
                   ForecastOutput& output);

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_MODELS_FORECAST_PATHS_H_
