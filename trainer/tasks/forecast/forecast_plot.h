#ifndef LOCKSTEP_TRAINER_TASKS_FORECAST_FORECAST_PLOT_H_
#define LOCKSTEP_TRAINER_TASKS_FORECAST_FORECAST_PLOT_H_

#include <cstdint>
#include <span>
#include <string>

#include "trainer/tasks/forecast/panel_drawing.h"

namespace lockstep::trainer {

/// Of these, no more are drawn.
inline constexpr int kMostForecastPanels = 8;

/// An SVG 1.1 picture, complete with the XML declaration: the first kMostForecastPanels panels
/// under each other and a legend; where `total` (number of all forecasts, the ones in `panels`
/// among them) says that there are more, a line says how many. std::invalid_argument where the
/// lengths within a panel differ or there is no panel.
std::string ForecastPlot(std::span<const ForecastPanel> panels, int64_t total);

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_FORECAST_FORECAST_PLOT_H_
