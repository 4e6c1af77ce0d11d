#ifndef LOCKSTEP_TRAINER_TASKS_FORECAST_PANEL_DRAWING_H_
#define LOCKSTEP_TRAINER_TASKS_FORECAST_PANEL_DRAWING_H_

#include <cstdint>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "trainer/tasks/forecast/axis_ticks.h"

namespace lockstep::trainer {

/// Where so many percent of the outcomes are expected; both of the horizon's length.
struct ForecastBand {
  int percent = 0;
  std::vector<double> lower, upper;
};

/// One channel of one series. Values in the unit to be shown; NaN, or an infinity: a gap.
struct ForecastPanel {
  std::string series, channel;      ///< UTF-8, either may be empty; title "series - channel"
  std::vector<double> history;      ///< may be empty
  std::vector<double> truth;        ///< over the horizon; empty where it is not known
  std::vector<double> mean;         ///< over the horizon
  std::vector<ForecastBand> bands;  ///< the widest first; may be empty
  /// Ascending, of the rows of the history and then the horizon, in seconds since
  /// 1970-01-01T00:00:00Z; empty: the axis shows row numbers.
  std::vector<int64_t> times;
  int64_t first_row = 0;  ///< number of the first row, where there are no times
};

/// Draws a panel's axes, lines and bands as SVG elements with the classes of forecast_plot.cc's
/// style sheet.
class PanelDrawing {
 public:
  /// The rectangle of the values within the picture, in pixels; labels stand left of and below it.
  struct Frame {
    double left, top, width, height;
  };

  /// `panel` must outlive this. std::invalid_argument where its lengths differ or the horizon is
  /// empty.
  PanelDrawing(const ForecastPanel& panel, const Frame& frame);

  /// Empty where no value is to be drawn.
  NumberAxis ValueAxis() const;

  /// Appends to `svg`.
  void Draw(std::string& svg, bool with_row_labels) const;

 private:
  struct Range {
    double low, high;
  };
  static std::optional<Range> ValueRange(const ForecastPanel& panel);

  double X(double position) const;
  double Y(double value) const;
  double bottom() const { return frame_.top + frame_.height; }
  double right() const { return frame_.left + frame_.width; }
  std::vector<Tick> RowAxis() const;
  void DrawValueAxis(std::string& svg) const;
  void DrawRowAxis(std::string& svg, bool with_labels) const;
  void DrawLine(std::string& svg, std::string_view style, std::span<const double> where,
                std::span<const double> values) const;
  void DrawBand(std::string& svg, std::span<const double> where, const ForecastBand& band) const;

  const ForecastPanel& panel_;
  const Frame frame_;
  const std::vector<double> positions_;  // of the rows: times, else numbers
  const std::optional<Range> range_;     // of all that is drawn, with some air
};

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_FORECAST_PANEL_DRAWING_H_
