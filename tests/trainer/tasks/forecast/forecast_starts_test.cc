#include "trainer/tasks/forecast/forecast_starts.h"

#include <gtest/gtest.h>

#include "io/series/time_text.h"
#include "tests/io/small_series.h"
#include "tests/io/temporary_folder.h"
#include "trainer/exit_status.h"

namespace lockstep::trainer {
namespace {

// Series "a" of 40 rows and "b" of 41 rows, hourly to daily, with two known covariates.
class ForecastStartsTest : public ::testing::Test {
 protected:
  std::string left_out_;
  io::SeriesDataset Open(io::SmallSeries& small) {
    small.Write(folder_ / "series.h5");
    return io::SeriesDataset::Open(folder_ / "series.h5");
  }

  io::TemporaryFolder folder_;
};

// The message of the UsageError that `body` throws; empty without one.
template <typename Body>
std::string UsageErrorOf(const Body& body) {
  try {
    body();
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

void ExpectParts(const std::string& text, const std::vector<std::string>& parts) {
  for (const std::string& part : parts) {
    EXPECT_NE(text.find(part), std::string::npos) << "no \"" << part << "\" in: " << text;
  }
}

TEST_F(ForecastStartsTest, WindowsStartBehindTheLastRowWithValues) {
  io::SmallSeries small(3, 40);  // with 0, 1, 2 future rows
  const io::SeriesDataset dataset = Open(small);
  const std::vector<uint64_t> series = {1, 2};
  const auto windows = WindowsPastTheEnd(dataset, "x", series, {40, 1, false}, &left_out_);
  ASSERT_EQ(windows.size(), 2u);
  EXPECT_EQ(windows[0].series, 1u);
  EXPECT_EQ(windows[0].first_target, 41u);
  EXPECT_EQ(windows[1].first_target, 42u);
}

TEST_F(ForecastStartsTest, MissingRowsOfKnownCovariatesAreNamed) {
  io::SmallSeries small(3, 40);
  small.series[0].start = *io::ParseTime("2024-02-27 09:00:00");
  const io::SeriesDataset dataset = Open(small);
  const std::vector<uint64_t> series = {0, 2};
  const std::string error = UsageErrorOf([&] {
    WindowsPastTheEnd(dataset, "new.csv", series, {10, 3, false}, &left_out_);
  });
  // Rows 40, 41, 42 of the first series; of the last, of 42 rows and two future rows, row 44.
  const std::string last = RowText(dataset, 2, 44);
  ExpectParts(error, {"new.csv",
                      "series \"series 0\" needs 3 more, 2024-02-29 01:00:00 to "
                      "2024-02-29 03:00:00",
                      "series \"series 2\" needs 1 more, " + last + " to " + last,
                      "\"date\", the name of the series, \"price\", \"holiday\"", "--data"});
  EXPECT_EQ(error.find("series 1"), std::string::npos) << error;
  EXPECT_NO_THROW(
      WindowsPastTheEnd(dataset, "x", std::vector<uint64_t>{2}, {10, 2, false}, &left_out_));
}

TEST_F(ForecastStartsTest, NoKnownCovariatesNoFutureRows) {
  io::SmallSeries small(1, 40);
  small.description.known.clear();
  std::erase_if(small.rows[0], [n = 0](float) mutable { return n++ % 4 >= 2; });
  const io::SeriesDataset dataset = Open(small);
  EXPECT_EQ(
      WindowsPastTheEnd(dataset, "x", std::vector<uint64_t>{0}, {40, 99, false}, &left_out_).size(),
      1u);
}

TEST_F(ForecastStartsTest, ShortSeriesAreLeftOutOrPadded) {
  io::SmallSeries small(3, 40);
  for (auto& one : small.series) one.future_rows = 2;
  for (size_t i = 0; i < 3; ++i) small.rows[i].resize((small.series[i].rows + 2) * 4, 0.0f);
  const io::SeriesDataset dataset = Open(small);
  const std::vector<uint64_t> series = {0, 1, 2};
  const auto windows = WindowsPastTheEnd(dataset, "new.csv", series, {42, 2, false}, &left_out_);
  ASSERT_EQ(windows.size(), 1u);
  EXPECT_EQ(windows[0].series, 2u);
  ExpectParts(left_out_, {"new.csv", "last 42 rows",
                          "series \"series 0\" has 40; series \"series 1\" "
                          "has 41.",
                          "mask"});
  EXPECT_EQ(WindowsPastTheEnd(dataset, "x", series, {42, 2, true}, &left_out_).size(), 3u);
}

TEST_F(ForecastStartsTest, ManyShortSeriesAreCounted) {
  io::SmallSeries small(15, 5);
  const io::SeriesDataset dataset = Open(small);
  const std::vector<uint64_t> all = ChosenSeries(dataset, {});
  ASSERT_EQ(all.size(), 15u);
  const std::string error = UsageErrorOf([&] {
    WindowsPastTheEnd(dataset, "x", all, {100, 1, false}, &left_out_);
  });
  ExpectParts(error, {"\"series 9\" has 14; and 5 more series"});
  EXPECT_EQ(error.find("series 10"), std::string::npos) << error;
}

TEST_F(ForecastStartsTest, SeriesAreChosenByTheirNames) {
  io::SmallSeries small(3, 40);
  const io::SeriesDataset dataset = Open(small);
  const std::vector<std::string> ids = {"series 2", "series 0"};
  EXPECT_EQ(ChosenSeries(dataset, ids), (std::vector<uint64_t>{0, 2}));
  const std::vector<std::string> wrong = {"series 2", "nobody"};
  ExpectParts(UsageErrorOf([&] { ChosenSeries(dataset, wrong); }),
              {"\"nobody\"", "\"series 0\", \"series 1\", \"series 2\""});
}

TEST_F(ForecastStartsTest, TimesGoOnAtTheFrequency) {
  struct Case {
    const char* start;
    io::Frequency frequency;
    std::vector<std::string> times;
  };
  const std::vector<Case> cases = {
      {"2024-01-31", {0, 1}, {"2024-01-31 00:00:00", "2024-02-29 00:00:00", "2024-03-31 00:00:00"}},
      {"2023-11-15 06:00:00", {0, 1}, {"2023-11-15 06:00:00", "2023-12-15 06:00:00"}},
      {"2023-12-31 23:45:00", {900, 0}, {"2023-12-31 23:45:00", "2024-01-01 00:00:00"}},
      {"2024-02-29", {0, 12}, {"2024-02-29 00:00:00", "2025-02-28 00:00:00"}},
  };
  for (const Case& one : cases) {
    io::SmallSeries small(1, 40);
    small.series[0].start = *io::ParseTime(one.start);
    small.description.frequency = one.frequency;
    const io::SeriesDataset dataset = Open(small);
    for (size_t n = 0; n < one.times.size(); ++n) {
      EXPECT_EQ(RowText(dataset, 0, static_cast<int64_t>(n)), one.times[n]);
    }
  }
}

TEST_F(ForecastStartsTest, RowsWithoutTimesHaveNumbers) {
  io::SmallSeries small(1, 40);
  small.series[0].start = 0;
  small.description.frequency = {};
  small.description.time.clear();
  EXPECT_EQ(RowText(Open(small), 0, 40), "40");
}

// Test splits are [3/4 rows, rows): rows 30 to 40, 30 to 41, 31 to 42.
TEST_F(ForecastStartsTest, BacktestStartsEveryHorizon) {
  io::SmallSeries small(3, 40);
  const io::SeriesDataset dataset = Open(small);
  const auto windows = WindowsOfBacktest(dataset, "x", std::vector<uint64_t>{0, 2}, {8, 5, false});
  std::vector<std::pair<uint64_t, uint64_t>> starts;
  for (const Window& window : windows) starts.emplace_back(window.series, window.first_target);
  EXPECT_EQ(starts,
            (std::vector<std::pair<uint64_t, uint64_t>>{{0, 30}, {0, 35}, {2, 31}, {2, 36}}));
  ExpectParts(UsageErrorOf([&] {
                WindowsOfBacktest(dataset, "x.h5", std::vector<uint64_t>{0, 2}, {8, 12, false});
              }),
              {"x.h5", "--backtest", "12 rows"});
}

}  // namespace
}  // namespace lockstep::trainer
