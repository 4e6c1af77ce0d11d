#include <algorithm>
#include <cmath>
#include <regex>
#include <sstream>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/io/file_bytes.h"
#include "tests/io/temporary_folder.h"
#include "tests/trainer/program.h"
#include "tests/trainer/small_run.h"
#include "tests/trainer/tasks/forecast/well_formed.h"

namespace lockstep::trainer {
namespace {

using Words = std::vector<std::string>;

// Cells of a CSV without quotes.
std::vector<Words> Table(const std::string& csv) {
  std::vector<Words> rows;
  std::istringstream lines(csv);
  for (std::string line; std::getline(lines, line);) {
    Words cells;
    std::istringstream row(line);
    for (std::string cell; std::getline(row, cell, ',');) cells.push_back(cell);
    if (line.ends_with(',')) cells.emplace_back();
    rows.push_back(cells);
  }
  return rows;
}

Words Column(const std::vector<Words>& table, size_t column) {
  Words cells;
  for (size_t row = 1; row < table.size(); ++row) cells.push_back(table[row].at(column));
  return cells;
}

// 60 months on their last day; "a" and "b" are large numbers with a season.
std::string MonthlyTable() {
  constexpr int kDays[] = {31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31};
  std::string csv = "month,a,b\n";
  for (int i = 0; i < 60; ++i) {
    const int year = 2019 + i / 12, month = i % 12;
    const int day = month == 1 && year == 2020 ? 29 : kDays[month];
    csv += fmt::format("{}-{:02}-{},{:.1f},{:.1f}\n", year, month + 1, day,
                       5000 + 10 * std::sin(i * 0.5236), -3e6 + 2000.0 * std::cos(i * 0.5236));
  }
  return csv;
}

// Hourly: `rows` with values of each series, then `future` with holidays only; categories and a
// known column.
std::string Panel(const Words& ids, int rows, int future) {
  std::string csv = "id,ds,y,holiday,region\n";
  for (int t = 0; t < rows + future; ++t) {
    for (size_t i = 0; i < ids.size(); ++i) {
      const bool holiday = t % 7 == 3;
      const std::string y = t < rows
                                ? fmt::format("{:.2f}", 10.0 * static_cast<double>(i + 1) +
                                                            std::sin(t * 0.26) + (holiday ? 3 : 0))
                                : "";
      csv += fmt::format("{},2024-03-{:02} {:02}:00,{},{},{}\n", ids[i], 1 + t / 24, t % 24, y,
                         holiday ? "yes" : "no", i % 2 == 0 ? "north" : "south");
    }
  }
  return csv;
}

// A folder with one trained model.
class Trained {
 public:
  Trained(const std::string& csv, const Words& import, const std::string& task) {
    folder_.Write("data.csv", csv);
    folder_.Write("run.textproto", fmt::format(R"(
task {{ forecast {{ {} }} }}
data {{ path: "data.h5"  lanes: 8  time_steps: 8 }}
model {{ cell: GRU  layers: 1  hidden_size: 8 }}
training {{ folder: "run"  steps: 12  threads: 1 }}
evaluation {{ every_steps: 0 }}
checkpoint {{ every_steps: 0  every_minutes: 0 }}
)",
                                               task));
    Words words = {"import", "series", "--output", "data.h5", "data.csv"};
    words.insert(words.end(), import.begin(), import.end());
    const Outcome imported = Run(words), trained = Run({"train", "run.textproto"});
    EXPECT_EQ(imported.status, 0) << imported.err;
    EXPECT_EQ(trained.status, 0) << trained.err;
  }

  Launch Command(Words words) const {
    Launch launch;
    launch.arguments = std::move(words);
    launch.folder = folder_.path();
    return launch;
  }
  Outcome Run(const Words& words) const { return RunProgram(Command(words)); }
  Outcome Forecast(const Words& words) const {
    Words all = {"forecast", "run/checkpoints/step-000000000012.h5"};
    all.insert(all.end(), words.begin(), words.end());
    return Run(all);
  }
  Outcome ForecastOfInput(const std::string& file, const Words& words) const {
    Words all = {"forecast", "run/checkpoints/step-000000000012.h5"};
    all.insert(all.end(), words.begin(), words.end());
    Launch launch = Command(all);
    launch.wrapper = {"sh", "-c", "exec \"$@\" < " + file, "sh"};
    return RunProgram(launch);
  }
  // What succeeds, on standard output.
  std::string Result(const Words& words) const {
    const Outcome outcome = Forecast(words);
    EXPECT_EQ(outcome.status, 0) << outcome.err;
    return outcome.out;
  }

  const io::TemporaryFolder& folder() const { return folder_; }
  void ExpectNothingLeft() const { EXPECT_TRUE(std::filesystem::is_empty(folder_ / "tmp")); }

 private:
  io::TemporaryFolder folder_;
};

// Trained once for all tests.
const Trained& Monthly() {
  static const Trained trained(MonthlyTable(), {"--time", "month", "--split", "70,0,30"},
                               "history: 6  horizon: 3  gaussian { }");
  return trained;
}

const Words kPanelImport = {"--series", "id",      "--values", "y",
                            "--known",  "holiday", "--static", "region"};

const Trained& Paths() {
  static const Trained trained(Panel({"p", "q", "r"}, 60, 4), kPanelImport,
                               "history: 12  horizon: 4  decoding: AUTOREGRESSIVE  student_t { }  "
                               "calendar: \"hour\"");
  return trained;
}

TEST(ForecastTest, GoesOnAtTheFrequency) {
  const std::vector<Words> table = Table(Monthly().Result({}));
  ASSERT_EQ(table.size(), 7u);
  EXPECT_EQ(table[0],
            (Words{"time", "series", "channel", "mean", "q0.1", "q0.25", "q0.5", "q0.75", "q0.9"}));
  EXPECT_EQ(Column(table, 0),
            (Words{"2024-01-31 00:00:00", "2024-01-31 00:00:00", "2024-02-29 00:00:00",
                   "2024-02-29 00:00:00", "2024-03-31 00:00:00", "2024-03-31 00:00:00"}));
  EXPECT_EQ(Column(table, 2), (Words{"a", "b", "a", "b", "a", "b"}));
  for (size_t row = 1; row < table.size(); ++row) {
    const bool a = row % 2 == 1;
    const double centre = a ? 5000 : -3e6, width = a ? 50 : 10000;
    for (size_t column = 3; column < 9; ++column) {
      const double value = std::stod(table[row][column]);
      EXPECT_NEAR(value, centre, width);
      if (column > 4) {
        EXPECT_GE(value, std::stod(table[row][column - 1]));
      }
    }
  }
}

TEST(ForecastTest, ATableOfTheTrainingGivesTheSame) {
  const std::string expected = Monthly().Result({});
  EXPECT_EQ(Monthly().Result({"--data", "data.csv"}), expected);
  EXPECT_EQ(Monthly().Result({"--data", "data.h5"}), expected);
  const Outcome input = Monthly().ForecastOfInput("data.csv", {"--data", "-"});
  EXPECT_EQ(input.out, expected) << input.err;
  EXPECT_EQ(std::ranges::count(input.err, '\n'), 1) << input.err;
  // Fewer rows, in another scale of their own: the training's counts.
  const std::string csv = MonthlyTable();
  std::string tail = csv.substr(0, csv.find('\n') + 1);
  tail += csv.substr(csv.find("2023-07-31"));
  Monthly().folder().Write("tail.csv", tail);
  EXPECT_EQ(Monthly().Result({"--data", "tail.csv"}), expected);
  Monthly().ExpectNothingLeft();
}

TEST(ForecastTest, WritesTableAndPicture) {
  const std::string expected = Monthly().Result({});
  const Outcome outcome = Monthly().Forecast({"--csv", "out.csv", "--plot", "out.svg"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(outcome.out, "");
  EXPECT_NE(outcome.err.find("out.csv, out.svg"), std::string::npos) << outcome.err;
  EXPECT_EQ(io::Bytes(Monthly().folder() / "out.csv"), expected);
  const std::string svg = io::Bytes(Monthly().folder() / "out.svg");
  EXPECT_TRUE(svg.starts_with("<?xml"));
  ExpectWellFormed(svg);
  EXPECT_EQ(svg.find("Truth"), std::string::npos);
  EXPECT_NE(svg.find("80% interval"), std::string::npos);
  EXPECT_EQ(Monthly().Result({"--plot", "-"}), svg);
  EXPECT_EQ(Monthly().Result({"--csv", "/dev/stdout"}), expected);
}

TEST(ForecastTest, BacktestStandsBesideTheTruth) {
  const std::string csv = Monthly().Result({"--backtest", "--csv", "-", "--plot", "back.svg"});
  const std::vector<Words> table = Table(csv), data = Table(MonthlyTable());
  // The test split is rows 42 to 60: six windows.
  ASSERT_EQ(table.size(), 1 + 18 * 2u);
  EXPECT_EQ(table[0].back(), "truth");
  for (size_t row = 0; row < 36; ++row) {
    const Words& source = data[1 + 42 + row / 2];
    EXPECT_EQ(table[1 + row][0], source[0] + " 00:00:00");
    EXPECT_EQ(std::stof(table[1 + row].back()), std::stof(source[1 + row % 2]));
  }
  const std::string svg = io::Bytes(Monthly().folder() / "back.svg");
  ExpectWellFormed(svg);
  EXPECT_NE(svg.find("Truth"), std::string::npos);
}

TEST(ForecastTest, TheSameSeedDrawsTheSamePaths) {
  const std::string all = Paths().Result({});
  EXPECT_EQ(Table(all).size(), 1 + 3 * 4u);
  EXPECT_EQ(Paths().Result({"--seed", "1", "--samples", "100"}), all);
  EXPECT_NE(Paths().Result({"--seed", "2"}), all);
  EXPECT_NE(Paths().Result({"--samples", "50"}), all);
}

TEST(ForecastTest, SeriesMayBeChosen) {
  const std::vector<Words> all = Table(Paths().Result({}));
  const std::vector<Words> chosen = Table(Paths().Result({"--series", "r,p"}));
  ASSERT_EQ(chosen.size(), 9u);
  for (size_t row = 1; row < chosen.size(); ++row) {
    const Words& expected = all[row < 5 ? row : row + 4];
    ASSERT_EQ(chosen[row][1], row < 5 ? "p" : "r");
    // Not bit for bit: the products of a smaller batch may add in another order.
    EXPECT_EQ(chosen[row][0], expected[0]);
    EXPECT_NEAR(std::stod(chosen[row][3]), std::stod(expected[3]), 1e-3);
  }
  ExpectOneError(Paths().Forecast({"--series", "p,s"}), 2, {"\"s\"", "\"p\", \"q\", \"r\""});
}

TEST(ForecastTest, APictureShowsTheLastWindowOfEachSeries) {
  const Outcome outcome = Paths().Forecast({"--backtest", "--plot", "-"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  // The test split is rows 48 to 60 of each.
  EXPECT_NE(outcome.err.find("of 3 series forecast in 9 windows"), std::string::npos)
      << outcome.err;
  ExpectWellFormed(outcome.out);
  Words titles;
  const std::regex title("class=\"title\"[^>]*>(.)[^<]*<");
  for (std::sregex_iterator at(outcome.out.begin(), outcome.out.end(), title), end; at != end;
       ++at) {
    titles.push_back(at->str(1));
  }
  EXPECT_EQ(titles, (Words{"p", "q", "r"}));
  EXPECT_EQ(outcome.out.find("more not shown"), std::string::npos);
}

TEST(ForecastTest, CategoriesAreThoseOfTheTraining) {
  // Rows of "q" alone: "south" is the first category that they name, and was the second.
  const std::vector<Words> all = Table(Paths().Result({}));
  const std::string panel = Panel({"p", "q", "r"}, 60, 4);
  std::istringstream lines(panel);
  std::string csv, strange;
  for (std::string line; std::getline(lines, line);) {
    if (line.starts_with("id,") || line.starts_with("q,")) csv += line + "\n";
  }
  Paths().folder().Write("q.csv", csv);
  const std::vector<Words> one =
      Table(Paths().Result({"--data", "q.csv", "--series-column", "id"}));
  ASSERT_EQ(one.size(), 5u);
  for (size_t row = 1; row < 5; ++row) {
    EXPECT_EQ(one[row][0], all[row + 4][0]);
    EXPECT_NEAR(std::stod(one[row][3]), std::stod(all[row + 4][3]), 1e-3);
  }
  strange = std::regex_replace(csv, std::regex("south"), "east");
  Paths().folder().Write("strange.csv", strange);
  ExpectOneError(Paths().Forecast({"--data", "strange.csv", "--series-column", "id"}), 2,
                 {"strange.csv", "east"});
}

TEST(ForecastTest, NewSeriesAreNamedOnce) {
  Paths().folder().Write("new.csv", Panel({"q", "x", "y"}, 30, 6));
  const Outcome outcome = Paths().Forecast({"--data", "new.csv", "--series-column", "id"});
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_NE(outcome.err.find("warning"), std::string::npos) << outcome.err;
  EXPECT_NE(outcome.err.find("2 of 3 series (such as \"x\")"), std::string::npos) << outcome.err;
  const std::vector<Words> table = Table(outcome.out);
  ASSERT_EQ(table.size(), 13u);
  EXPECT_EQ(table[1][0], "2024-03-02 06:00:00");
  // "x" is 20 + sin here: its own scale brings it back there.
  EXPECT_EQ(table[5][1], "x");
  EXPECT_NEAR(std::stod(table[5][3]), 20.0, 8.0);
  ExpectOneError(Paths().Forecast({"--data", "new.csv"}), 2, {"--series-column"});
  Paths().ExpectNothingLeft();
}

TEST(ForecastTest, MissingRowsAreNamed) {
  Paths().folder().Write("bare.csv", Panel({"p", "q"}, 60, 1));
  ExpectOneError(Paths().Forecast({"--data", "bare.csv", "--series-column", "id"}), 2,
                 {"bare.csv",
                  "series \"p\" needs 3 more, 2024-03-03 13:00:00 to "
                  "2024-03-03 15:00:00",
                  "\"ds\"", "\"holiday\""});
  Paths().folder().Write("short.csv", Panel({"p", "q"}, 11, 4));
  ExpectOneError(Paths().Forecast({"--data", "short.csv", "--series-column", "id"}), 2,
                 {"short.csv", "series \"p\" has 11", "12 rows"});
  Paths().folder().Write("wrong.csv",
                         "id,ds,y,holiday,region\np,2024-03-01,1,no,north\n"
                         "p,2024-03-01 01:00,x,no,north\n");
  ExpectOneError(Paths().Forecast({"--data", "wrong.csv", "--series-column", "id"}), 2,
                 {"wrong.csv, line 3", "'x'"});
  Paths().ExpectNothingLeft();
}

TEST(ForecastTest, ShortSeriesAreFilledWhereInputsAreMasked) {
  Words import = kPanelImport;
  import.insert(import.end(), {"--missing", "mask"});
  const Trained trained(Panel({"p", "q"}, 60, 4), import,
                        "history: 12  horizon: 4  normalization: MEAN  quantiles { levels: "
                        "\"0.05,0.5,0.95\" }");
  trained.folder().Write("short.csv", Panel({"p"}, 5, 4));
  const Words flags = {"--data", "short.csv", "--series-column", "id"};
  const std::vector<Words> table = Table(trained.Result(flags));
  ASSERT_EQ(table.size(), 5u);
  EXPECT_EQ(table[0], (Words{"time", "series", "channel", "mean", "q0.05", "q0.5", "q0.95"}));
  EXPECT_EQ(table[1][0], "2024-03-01 05:00:00");
  for (const std::string& mean : Column(table, 3)) EXPECT_NEAR(std::stod(mean), 10.0, 10.0);
}

TEST(ForecastTest, StreamsOfRowsWithoutTimes) {
  std::string csv = "y\n";
  for (int i = 0; i < 200; ++i) csv += fmt::format("{:.3f}\n", std::sin(i * 0.3));
  const Trained trained(csv, {}, "history: 24  horizon: 5  decoding: STREAM  normalization: NONE");
  const std::vector<Words> table = Table(trained.Result({}));
  EXPECT_EQ(table[0], (Words{"time", "series", "channel", "mean"}));
  EXPECT_EQ(Column(table, 0), (Words{"200", "201", "202", "203", "204"}));
}

TEST(ForecastTest, WhatCannotBeForecast) {
  ExpectOneError(Monthly().Run({"sample", "run/checkpoints/step-000000000012.h5"}), 2,
                 {"not of a language model", "lockstep forecast"});
  ExpectOneError(Monthly().Forecast({"--csv", "-", "--plot", "-"}), 2, {"standard output"});
  ExpectOneError(Monthly().Forecast({"--csv", "none/out.csv"}), 2, {"none"});
  ExpectOneError(Monthly().Forecast({"--backtest", "--data", "data.csv"}), 2,
                 {"data.csv", "--backtest", "test split"});
  ExpectOneError(Monthly().Forecast({"--data", "nothing.csv"}), 2, {"nothing.csv"});
  Monthly().folder().Write("other.csv", "month,a\n2024-01-31,1\n2024-02-29,2\n");
  ExpectOneError(Monthly().Forecast({"--data", "other.csv"}), 2, {"other.csv", "'b'"});
  std::filesystem::rename(Monthly().folder() / "data.h5", Monthly().folder() / "away.h5");
  ExpectOneError(Monthly().Forecast({}), 2, {"data.h5", "--data"});
  std::filesystem::rename(Monthly().folder() / "away.h5", Monthly().folder() / "data.h5");
  Monthly().ExpectNothingLeft();

  const SmallRun text;
  text.TrainToTheEnd("run", 0, {"training.steps=2"});
  ExpectOneError(RunProgram(text.Command({"forecast", "run/checkpoints/step-000000000002.h5"})), 2,
                 {"not of a forecaster", "lockstep sample"});
}

}  // namespace
}  // namespace lockstep::trainer
