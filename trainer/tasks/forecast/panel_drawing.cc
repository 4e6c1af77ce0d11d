#include "trainer/tasks/forecast/panel_drawing.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <stdexcept>

#include <fmt/format.h>

namespace lockstep::trainer {
namespace {

template <typename... Args>
void Put(std::string& svg, fmt::format_string<Args...> format, Args&&... args) {
  fmt::format_to(std::back_inserter(svg), format, std::forward<Args>(args)...);
}

void PutLabel(std::string& svg, std::string_view style, double x, double y, std::string_view text) {
  Put(svg, "<text class=\"{}\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", style, x, y, text);
}

void RequireLengths(const ForecastPanel& panel) {
  const size_t horizon = panel.mean.size(), rows = panel.history.size() + horizon;
  bool fits = horizon > 0 && (panel.truth.empty() || panel.truth.size() == horizon) &&
              (panel.times.empty() || panel.times.size() == rows);
  for (const ForecastBand& band : panel.bands) {
    fits = fits && band.lower.size() == horizon && band.upper.size() == horizon;
  }
  if (!fits) throw std::invalid_argument("forecast plot: lengths in a panel differ");
}

// What doubles cannot space out on an axis counts as infinite.
bool Drawable(double value) { return std::abs(value) < 1e300; }

std::vector<double> Positions(const ForecastPanel& panel) {
  RequireLengths(panel);
  const size_t rows = panel.history.size() + panel.mean.size();
  std::vector<double> positions(panel.times.begin(), panel.times.end());
  for (size_t row = positions.size(); row < rows; ++row) {
    positions.push_back(static_cast<double>(panel.first_row) + static_cast<double>(row));
  }
  return positions;
}

}  // namespace

PanelDrawing::PanelDrawing(const ForecastPanel& panel, const Frame& frame)
    : panel_(panel), frame_(frame), positions_(Positions(panel)), range_(ValueRange(panel)) {}

// A constant gets an axis as wide as it is large.
std::optional<PanelDrawing::Range> PanelDrawing::ValueRange(const ForecastPanel& panel) {
  Range range{HUGE_VAL, -HUGE_VAL};
  const auto include = [&](const std::vector<double>& values) {
    for (const double value : values) {
      if (!Drawable(value)) continue;
      range.low = std::min(range.low, value);
      range.high = std::max(range.high, value);
    }
  };
  include(panel.history);
  include(panel.truth);
  include(panel.mean);
  for (const ForecastBand& band : panel.bands) include(band.lower), include(band.upper);
  if (range.low > range.high) return std::nullopt;
  const double size = std::max(std::abs(range.low), std::abs(range.high));
  const double span = range.high - range.low;
  if (size < 1e-290) return Range{-1.0, 1.0};
  const double air = span > 1e-9 * size ? 0.06 * span : 0.5 * size;
  return Range{range.low - air, range.high + air};
}

NumberAxis PanelDrawing::ValueAxis() const {
  constexpr double kPixelsOfATick = 36;
  if (!range_) return {};
  const int most = std::max(5, static_cast<int>(frame_.height / kPixelsOfATick));
  return NumberTicks(range_->low, range_->high, most);
}

std::vector<Tick> PanelDrawing::RowAxis() const {
  constexpr double kPixelsOfATick = 85;
  const int most = std::max(2, static_cast<int>(frame_.width / kPixelsOfATick));
  if (const std::vector<int64_t>& times = panel_.times; !times.empty()) {
    int64_t closest = times.back() - times.front();
    for (size_t i = 1; i < times.size(); ++i) closest = std::min(closest, times[i] - times[i - 1]);
    return TimeTicks(times.front(), times.back(), most, closest);
  }
  const double first = positions_.front();
  return NumberTicks(first, std::max(positions_.back(), first + 0.5), most, 1.0).ticks;
}

double PanelDrawing::X(double position) const {
  constexpr double kMargin = 0.01;  // of the width, on either side
  const double first = positions_.front(), last = positions_.back();
  const double share = first == last ? 0.5 : (position - first) / (last - first);
  return frame_.left + frame_.width * (kMargin + share * (1.0 - 2.0 * kMargin));
}

double PanelDrawing::Y(double value) const {
  return frame_.top + frame_.height * (range_->high - value) / (range_->high - range_->low);
}

void PanelDrawing::Draw(std::string& svg, bool with_row_labels) const {
  DrawValueAxis(svg);
  DrawRowAxis(svg, with_row_labels);
  if (!range_) {
    PutLabel(svg, "row", frame_.left + frame_.width / 2, frame_.top + frame_.height / 2,
             "no values");
  }
  const size_t past = panel_.history.size();
  const std::span<const double> horizon = std::span(positions_).subspan(past);
  for (const ForecastBand& band : panel_.bands) DrawBand(svg, horizon, band);
  DrawLine(svg, "history", positions_, panel_.history);
  if (panel_.truth.empty() || past == 0) {
    DrawLine(svg, "truth", horizon, panel_.truth);
  } else {
    // What was observed is one line.
    std::vector<double> truth = panel_.truth;
    truth.insert(truth.begin(), panel_.history.back());
    DrawLine(svg, "truth", std::span(positions_).subspan(past - 1), truth);
  }
  DrawLine(svg, "mean", horizon, panel_.mean);
}

void PanelDrawing::DrawValueAxis(std::string& svg) const {
  const NumberAxis axis = ValueAxis();
  for (const Tick& tick : axis.ticks) {
    const double y = Y(tick.at);
    Put(svg, "<path class=\"grid\" d=\"M{:.1f} {:.1f}H{:.1f}\"/>\n", frame_.left, y, right());
    PutLabel(svg, "value", frame_.left - 8, y + 4, tick.label);
  }
  if (axis.factor.empty()) return;
  PutLabel(svg, "value", frame_.left - 8, frame_.top - 8, axis.factor);
}

void PanelDrawing::DrawRowAxis(std::string& svg, bool with_labels) const {
  const auto vertical = [&](std::string_view style, double x) {
    Put(svg, "<path class=\"{}\" d=\"M{:.1f} {:.1f}V{:.1f}\"/>\n", style, x, frame_.top, bottom());
  };
  for (const Tick& tick : RowAxis()) {
    const double x = X(tick.at);
    vertical("grid", x);
    if (!with_labels) continue;
    PutLabel(svg, "row", x, bottom() + 17, tick.label);
    if (!tick.below.empty()) PutLabel(svg, "row", x, bottom() + 32, tick.below);
  }
  Put(svg, "<path class=\"axis\" d=\"M{:.1f} {:.1f}H{:.1f}\"/>\n", frame_.left, bottom(), right());
  const size_t past = panel_.history.size();
  if (past > 0) vertical("now", (X(positions_[past - 1]) + X(positions_[past])) / 2);
}

// Runs of finite values as lines; a value between gaps as a dot.
void PanelDrawing::DrawLine(std::string& svg, std::string_view style, std::span<const double> where,
                            std::span<const double> values) const {
  const auto drawn = [&](size_t i) { return i < values.size() && Drawable(values[i]); };
  std::string path;
  for (size_t i = 0; i < values.size(); ++i) {
    if (!drawn(i)) continue;
    const bool starts = i == 0 || !drawn(i - 1);
    if (starts && !drawn(i + 1)) {
      Put(svg, "<circle class=\"{}\" cx=\"{:.1f}\" cy=\"{:.1f}\" r=\"3\"/>\n", style, X(where[i]),
          Y(values[i]));
    } else {
      Put(path, "{}{:.1f} {:.1f}", starts ? 'M' : 'L', X(where[i]), Y(values[i]));
    }
  }
  if (!path.empty()) Put(svg, "<path class=\"{}\" d=\"{}\"/>\n", style, path);
}

// Each run of finite bounds is an area, at least some pixels wide.
void PanelDrawing::DrawBand(std::string& svg, std::span<const double> where,
                            const ForecastBand& band) const {
  constexpr double kLeastHalfWidth = 4;
  const auto drawn = [&](size_t i) {
    return i < where.size() && Drawable(band.lower[i]) && Drawable(band.upper[i]);
  };
  for (size_t begin = 0; begin < where.size(); ++begin) {
    if (!drawn(begin)) continue;
    size_t end = begin;
    while (drawn(end)) ++end;
    const double air = end - begin == 1 ? kLeastHalfWidth : 0.0;
    std::string path = "M";
    for (size_t i = begin; i < end; ++i) {
      Put(path, "{:.1f} {:.1f}L", X(where[i]) - air, Y(band.upper[i]));
      if (air > 0.0) Put(path, "{:.1f} {:.1f}L", X(where[i]) + air, Y(band.upper[i]));
    }
    for (size_t i = end; i-- > begin;) {
      if (air > 0.0) Put(path, "{:.1f} {:.1f}L", X(where[i]) + air, Y(band.lower[i]));
      Put(path, "{:.1f} {:.1f}{}", X(where[i]) - air, Y(band.lower[i]), i > begin ? 'L' : 'Z');
    }
    Put(svg, "<path class=\"band\" d=\"{}\"/>\n", path);
    begin = end;
  }
}

}  // namespace lockstep::trainer
