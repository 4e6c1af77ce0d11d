#include "trainer/tasks/forecast/forecast_plot.h"

#include <algorithm>
#include <iterator>
#include <stdexcept>
#include <string_view>

#include <fmt/format.h>

namespace lockstep::trainer {
namespace {

// Lengths in pixels, y downwards.
constexpr double kWidth = 960, kRight = 40, kHeader = 48, kFooter = 30;
constexpr double kPanelTitle = 26, kPanelGap = 16, kRowLabels = 34;
constexpr double kDigitWidth = 6.9;  // of an axis label, about

constexpr std::string_view kStyle = R"(<style>
text { font-family: "Helvetica Neue", Helvetica, Arial, "Liberation Sans", "DejaVu Sans", sans-serif; fill: #5f6673; font-size: 12px }
.title { font-size: 14px; font-weight: 600; fill: #23272f }
.legend { fill: #3c424d }
.value { text-anchor: end }
.row { text-anchor: middle }
.grid { stroke: #eceef2; stroke-width: 1; fill: none }
.axis { stroke: #c4c9d2; stroke-width: 1; fill: none }
.now { stroke: #9aa1ae; stroke-width: 1; stroke-dasharray: 3 3; fill: none }
.history, .truth, .mean { fill: none; stroke-linejoin: round; stroke-linecap: round }
.history { stroke: #858c9a; stroke-width: 1.4 }
.truth { stroke: #23272f; stroke-width: 1.5 }
.mean { stroke: #2463c4; stroke-width: 2 }
circle.history { fill: #858c9a; stroke: none }
circle.truth { fill: #23272f; stroke: none }
circle.mean { fill: #2463c4; stroke: none }
.band { fill: #2463c4; fill-opacity: 0.16; stroke: none }
</style>
)";

template <typename... Args>
void Put(std::string& svg, fmt::format_string<Args...> format, Args&&... args) {
  fmt::format_to(std::back_inserter(svg), format, std::forward<Args>(args)...);
}

// Cut to a length that fits, without the control characters that XML forbids.
std::string Escaped(std::string_view text) {
  constexpr int kMostCharacters = 80;
  std::string escaped;
  int characters = 0;
  for (const char c : text) {
    const bool continues = (static_cast<unsigned char>(c) & 0xC0) == 0x80;  // within UTF-8
    if (!continues && ++characters > kMostCharacters) return escaped + "…";
    switch (c) {
      case '&':
        escaped += "&amp;";
        break;
      case '<':
        escaped += "&lt;";
        break;
      case '>':
        escaped += "&gt;";
        break;
      case '"':
        escaped += "&quot;";
        break;
      default:
        escaped += static_cast<unsigned char>(c) < 0x20 || c == 0x7F ? ' ' : c;
    }
  }
  return escaped;
}

std::string Title(const ForecastPanel& panel) {
  if (panel.series.empty() || panel.channel.empty()) return panel.series + panel.channel;
  return panel.series + " \u2013 " + panel.channel;
}

double PlotHeight(size_t panels) {
  if (panels == 1) return 340;
  if (panels == 2) return 230;
  return panels <= 4 ? 170 : 120;
}

// All of them show the same rows, so that one axis can serve them.
bool ShareRows(std::span<const ForecastPanel> panels) {
  const ForecastPanel& a = panels.front();
  return std::ranges::all_of(panels, [&](const ForecastPanel& b) {
    return a.times == b.times && a.first_row == b.first_row &&
           a.history.size() == b.history.size() && a.mean.size() == b.mean.size();
  });
}

class Legend {
 public:
  Legend(std::string& svg, double left) : svg_(svg), x_(left) {}

  void Line(std::string_view style, std::string_view name) {
    Put(svg_, "<path class=\"{}\" d=\"M{:.1f} {:.1f}h{:.1f}\"/>\n", style, x_, kMiddle, kSample);
    Name(name);
  }

  // `layers` bands over each other, as in the panels.
  void Band(size_t layers, std::string_view name) {
    for (size_t i = 0; i < layers; ++i) {
      Put(svg_, "<path class=\"band\" d=\"M{:.1f} {:.1f}h{:.1f}v12h{:.1f}z\"/>\n", x_, kMiddle - 6,
          kSample, -kSample);
    }
    Name(name);
  }

 private:
  static constexpr double kMiddle = 23.5, kSample = 24;

  void Name(std::string_view name) {
    Put(svg_, "<text class=\"legend\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", x_ + kSample + 8,
        kMiddle + 4, name);
    x_ += kSample + 8 + kDigitWidth * static_cast<double>(name.size()) + 24;
  }

  std::string& svg_;
  double x_;
};

void PutLegend(std::string& svg, std::span<const ForecastPanel> panels, double left) {
  Legend legend(svg, left);
  const auto any = [&](auto member) {
    return std::ranges::any_of(panels, [&](const auto& panel) { return !(panel.*member).empty(); });
  };
  if (any(&ForecastPanel::history)) legend.Line("history", "History");
  if (any(&ForecastPanel::truth)) legend.Line("truth", "Truth");
  legend.Line("mean", "Forecast");
  const ForecastPanel& most = *std::ranges::max_element(
      panels, {}, [](const ForecastPanel& panel) { return panel.bands.size(); });
  for (size_t i = 0; i < most.bands.size(); ++i) {
    legend.Band(i + 1, fmt::format("{}% interval", most.bands[i].percent));
  }
}

// The widest label of any panel: their left edges are one line.
double LeftEdge(std::span<const ForecastPanel> panels, double height) {
  size_t characters = 3;
  for (const ForecastPanel& panel : panels) {
    const NumberAxis axis = PanelDrawing(panel, {0, 0, kWidth, height}).ValueAxis();
    for (const Tick& tick : axis.ticks) characters = std::max(characters, tick.label.size());
  }
  return 24 + kDigitWidth * static_cast<double>(characters);
}

}  // namespace

std::string ForecastPlot(std::span<const ForecastPanel> panels, int64_t total) {
  if (panels.empty()) throw std::invalid_argument("forecast plot: no panel");
  panels = panels.first(std::min<size_t>(panels.size(), kMostForecastPanels));
  const int64_t more = total - static_cast<int64_t>(panels.size());
  const double plot_height = PlotHeight(panels.size()), left = LeftEdge(panels, plot_height);
  const bool shared = ShareRows(panels);
  std::string body;
  PutLegend(body, panels, left);
  double y = kHeader;
  for (size_t i = 0; i < panels.size(); ++i) {
    const bool with_labels = !shared || i + 1 == panels.size();
    y += kPanelTitle;
    Put(body, "<text class=\"title\" x=\"{:.1f}\" y=\"{:.1f}\">{}</text>\n", left, y - 9,
        Escaped(Title(panels[i])));
    PanelDrawing(panels[i], {left, y, kWidth - kRight - left, plot_height}).Draw(body, with_labels);
    y += plot_height + (with_labels ? kRowLabels : 0.0) + kPanelGap;
  }
  if (more > 0) {
    y += kFooter;
    Put(body, "<text x=\"{:.1f}\" y=\"{:.1f}\">{} more not shown</text>\n", left, y - 18, more);
  }
  return fmt::format(
      "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
      "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{0:.0f}\" height=\"{1:.0f}\" "
      "viewBox=\"0 0 {0:.0f} {1:.0f}\">\n<title>Forecast</title>\n{2}"
      "<rect width=\"100%\" height=\"100%\" fill=\"#ffffff\"/>\n{3}</svg>\n",
      kWidth, y, kStyle, body);
}

}  // namespace lockstep::trainer
