#include "trainer/tasks/forecast/forecast_plot.h"

#include <cmath>
#include <limits>
#include <regex>
#include <stdexcept>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/trainer/tasks/forecast/well_formed.h"

namespace lockstep::trainer {
namespace {

using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;
using ::testing::Not;

constexpr double kNan = std::numeric_limits<double>::quiet_NaN();

std::vector<std::string> All(const std::string& text, const std::string& pattern) {
  const std::regex expression(pattern);
  std::vector<std::string> found;
  for (std::sregex_iterator at(text.begin(), text.end(), expression), end; at != end; ++at) {
    found.push_back(at->str(at->size() - 1));
  }
  return found;
}

// Outlines of the elements of a class.
std::vector<std::string> Paths(const std::string& svg, const std::string& style) {
  return All(svg, "<path class=\"" + style + "\" d=\"([^\"]*)\"");
}

struct Point {
  double x, y;
};
std::vector<Point> Points(const std::string& path) {
  std::vector<Point> points;
  const std::regex pair("(-?[0-9.]+) (-?[0-9.]+)");
  for (std::sregex_iterator at(path.begin(), path.end(), pair), end; at != end; ++at) {
    points.push_back({std::stod(at->str(1)), std::stod(at->str(2))});
  }
  return points;
}

// 4 rows of history, 2 of the horizon, from 0 to 100.
ForecastPanel Small() {
  ForecastPanel panel;
  panel.series = "s";
  panel.channel = "c";
  panel.history = {0, 100, 50, 25};
  panel.truth = {50, 75};
  panel.mean = {40, 60};
  panel.bands = {{80, {20, 30}, {60, 90}}, {50, {30, 40}, {50, 80}}};
  return panel;
}

TEST(ForecastPlotTest, ValuesLieWhereTheAxesSay) {
  const std::string svg = ForecastPlot(std::vector{Small()}, 1);
  ExpectWellFormed(svg);
  const std::vector<Point> history = Points(Paths(svg, "history").at(1));  // after the legend's
  const std::vector<Point> truth = Points(Paths(svg, "truth").at(1));
  const std::vector<Point> mean = Points(Paths(svg, "mean").at(1));
  ASSERT_EQ(history.size(), 4u);
  ASSERT_EQ(truth.size(), 3u);  // from the last value of the history
  ASSERT_EQ(mean.size(), 2u);
  const double step = history[1].x - history[0].x, unit = (history[0].y - history[1].y) / 100;
  EXPECT_GT(step, 100.0);
  EXPECT_GT(unit, 2.0);
  const auto expect_at = [&](const Point& point, double row, double value) {
    EXPECT_NEAR(point.x, history[0].x + row * step, 0.5);  // printed to a tenth of a pixel
    EXPECT_NEAR(point.y, history[0].y - value * unit, 0.2);
  };
  expect_at(history[2], 2, 50);
  expect_at(truth[0], 3, 25);
  expect_at(truth[2], 5, 75);
  expect_at(mean[0], 4, 40);
  expect_at(mean[1], 5, 60);
  const std::vector<std::string> bands = Paths(svg, "band");
  ASSERT_EQ(bands.size(), 5u);  // one and two layers in the legend
  const std::vector<Point> wide = Points(bands[3]), narrow = Points(bands[4]);
  ASSERT_EQ(wide.size(), 4u);
  expect_at(wide[0], 4, 60);
  expect_at(wide[1], 5, 90);
  expect_at(wide[2], 5, 30);
  expect_at(wide[3], 4, 20);
  expect_at(narrow.at(0), 4, 50);

  const std::vector<std::string> values = All(svg, "class=\"value\"[^>]*>([^<]*)<");
  EXPECT_THAT(values, ElementsAre("0", "20", "40", "60", "80", "100"));
  const std::vector<std::string> grid = Paths(svg, "grid");
  expect_at({history[0].x, Points(grid.at(2)).at(0).y}, 0, 40);
  EXPECT_THAT(All(svg, "class=\"row\"[^>]*>([^<]*)<"), ElementsAre("0", "1", "2", "3", "4", "5"));
  EXPECT_THAT(All(svg, "class=\"legend\"[^>]*>([^<]*)<"),
              ElementsAre("History", "Truth", "Forecast", "80% interval", "50% interval"));
  EXPECT_NEAR(Points(Paths(svg, "now").at(0)).at(0).x, history[0].x + 3.5 * step, 0.5);
}

TEST(ForecastPlotTest, TimesOnTheAxis) {
  ForecastPanel panel = Small();
  for (int64_t i = 0; i < 6; ++i) panel.times.push_back(1508871600 + i * 86400);
  const std::string svg = ForecastPlot(std::vector{panel}, 1);
  EXPECT_THAT(All(svg, "class=\"row\"[^>]*>([^<]*)<"),
              ElementsAre("25 Oct", "2017", "26 Oct", "27 Oct", "28 Oct", "29 Oct"));
}

TEST(ForecastPlotTest, RowsHaveTheirNumbers) {
  ForecastPanel panel = Small();
  panel.first_row = 1200;
  EXPECT_THAT(All(ForecastPlot(std::vector{panel}, 1), "class=\"row\"[^>]*>([^<]*)<"),
              ElementsAre("1,200", "1,201", "1,202", "1,203", "1,204", "1,205"));
}

TEST(ForecastPlotTest, GapsBreakLinesAndALoneValueIsADot) {
  ForecastPanel panel = Small();
  panel.history = {1, 2, kNan, 3, kNan, 4, 5};
  panel.truth = {kNan, 6};
  panel.mean = {7, HUGE_VAL};
  panel.bands = {{80, {1, kNan}, {2, 9}}};
  const std::string svg = ForecastPlot(std::vector{panel}, 1);
  ExpectWellFormed(svg);
  EXPECT_EQ(All(Paths(svg, "history").at(1), "(M)").size(), 2u);
  EXPECT_EQ(All(svg, "(<circle class=\"history\")").size(), 1u);
  EXPECT_EQ(All(svg, "(<circle class=\"truth\")").size(), 2u);  // 5, again, and 6
  EXPECT_EQ(All(svg, "(<circle class=\"mean\")").size(), 1u);
  const std::vector<Point> band = Points(Paths(svg, "band").at(1));
  ASSERT_EQ(band.size(), 4u);
  EXPECT_GT(band[1].x - band[0].x, 5.0);
}

TEST(ForecastPlotTest, TextIsEscapedAndCut) {
  ForecastPanel panel = Small();
  panel.series = "a<b> & \"c\"\n\x01";
  panel.channel = "d";
  ForecastPanel other = Small();
  other.series.clear();
  for (int i = 0; i < 100; ++i) other.channel += "ü";
  const std::string svg = ForecastPlot(std::vector{panel, other}, 2);
  ExpectWellFormed(svg);
  const std::vector<std::string> titles = All(svg, "class=\"title\"[^>]*>([^<]*)<");
  ASSERT_EQ(titles.size(), 2u);
  EXPECT_EQ(titles[0], "a&lt;b&gt; &amp; &quot;c&quot;   – d");
  EXPECT_THAT(titles[1], testing::StartsWith("cüü"));
  EXPECT_THAT(titles[1], testing::EndsWith("üü…"));
  EXPECT_EQ(titles[1].size(), 1 + 79 * 2 + 3u);
}

TEST(ForecastPlotTest, AtMostEightPanelsAndHowManyMore) {
  std::vector<ForecastPanel> panels(10, Small());
  const std::string svg = ForecastPlot(panels, 321);
  ExpectWellFormed(svg);
  EXPECT_EQ(All(svg, "class=\"title\"[^>]*>([^<]*)<").size(), 8u);
  EXPECT_THAT(svg, HasSubstr(">313 more not shown<"));
  panels.resize(8);
  EXPECT_THAT(ForecastPlot(panels, 8), Not(HasSubstr("not shown")));
}

TEST(ForecastPlotTest, OneRowAxisWhereAllShareIt) {
  std::vector<ForecastPanel> panels(3, Small());
  EXPECT_EQ(All(ForecastPlot(panels, 3), "(class=\"row\")").size(), 6u);
  panels[1].first_row = 1;
  EXPECT_EQ(All(ForecastPlot(panels, 3), "(class=\"row\")").size(), 18u);
}

// Everything that is drawn lies within the picture, and no coordinate is nan or inf.
TEST(ForecastPlotTest, UnusualValues) {
  for (const double offset : {0.0, 1e9, -1e9, 3e38, 1e-40, 5e-324, 1.7e308}) {
    for (const double scale : {0.0, 1.0, 1e-6, 1e30}) {
      ForecastPanel panel = Small();
      for (auto* values : {&panel.history, &panel.truth, &panel.mean, &panel.bands[0].lower,
                           &panel.bands[0].upper, &panel.bands[1].lower, &panel.bands[1].upper}) {
        for (double& value : *values) value = offset + scale * value;
      }
      const std::string svg = ForecastPlot(std::vector{panel}, 1);
      ExpectWellFormed(svg);
      for (const std::string style : {"history", "truth", "mean", "band", "grid"}) {
        for (const std::string& path : Paths(svg, style)) {
          for (const Point& point : Points(path)) {
            EXPECT_TRUE(point.x >= 0 && point.x <= 960 && point.y >= 0 && point.y <= 500)
                << path << " at " << offset << " and " << scale;
          }
        }
      }
      if (std::abs(offset) < 1e300) {
        EXPECT_EQ(Paths(svg, "mean").size(), 2u);
        EXPECT_GE(All(svg, "(class=\"value\")").size(), 3u);
      }
    }
  }
}

TEST(ForecastPlotTest, TheAxisHoldsTheExtremeOfAnything) {
  for (const double extreme : {-1000.0, 1000.0}) {
    for (int which = 0; which < 5; ++which) {
      ForecastPanel panel = Small();
      (which == 0   ? panel.history
       : which == 1 ? panel.truth
       : which == 2 ? panel.mean
       : which == 3 ? panel.bands[0].lower
                    : panel.bands[1].upper)[1] = extreme;
      const std::string svg = ForecastPlot(std::vector{panel}, 1);
      for (const std::string style : {"history", "truth", "mean", "band"}) {
        for (const std::string& path : Paths(svg, style)) {
          for (const Point& point : Points(path)) {
            EXPECT_TRUE(point.y > 0 && point.y < 450) << path << " of " << which;
          }
        }
      }
    }
  }
}

TEST(ForecastPlotTest, TruthWithoutHistory) {
  ForecastPanel panel = Small();
  panel.history.clear();
  EXPECT_EQ(Points(Paths(ForecastPlot(std::vector{panel}, 1), "truth").at(1)).size(), 2u);
}

TEST(ForecastPlotTest, LittleToShow) {
  ForecastPanel panel;
  panel.mean = {5};
  const std::string one = ForecastPlot(std::vector{panel}, 1);
  ExpectWellFormed(one);
  EXPECT_EQ(All(one, "(<circle class=\"mean\")").size(), 1u);
  EXPECT_THAT(Paths(one, "now"), IsEmpty());
  EXPECT_THAT(All(one, "class=\"legend\"[^>]*>([^<]*)<"), ElementsAre("Forecast"));
  panel.mean = {kNan};
  const std::string none = ForecastPlot(std::vector{panel}, 1);
  ExpectWellFormed(none);
  EXPECT_THAT(none, HasSubstr("no values"));
}

TEST(ForecastPlotTest, LengthsThatDoNotFit) {
  EXPECT_THROW(ForecastPlot({}, 0), std::invalid_argument);
  EXPECT_THROW(ForecastPlot(std::vector<ForecastPanel>(1), 1), std::invalid_argument);
  const auto wrong = [](auto change) {
    ForecastPanel panel = Small();
    change(panel);
    EXPECT_THROW(ForecastPlot(std::vector{panel}, 1), std::invalid_argument);
  };
  wrong([](ForecastPanel& panel) { panel.mean.clear(); });
  wrong([](ForecastPanel& panel) { panel.truth.pop_back(); });
  wrong([](ForecastPanel& panel) { panel.times = {1, 2}; });
  wrong([](ForecastPanel& panel) { panel.bands[1].upper.push_back(1); });
}

}  // namespace
}  // namespace lockstep::trainer
