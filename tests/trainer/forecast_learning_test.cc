// What a forecaster must be able to learn, and must not, on data whose answer is known: the whole
// program from a table to `lockstep evaluate`.
#include <cmath>
#include <functional>
#include <numbers>
#include <random>
#include <string>

#include <fmt/format.h>
#include <gtest/gtest.h>

#include "tests/trainer/program.h"
#include "tests/trainer/small_run.h"

namespace lockstep::trainer {
namespace {

constexpr double kTurn = 2.0 * std::numbers::pi;

// Box and Muller 1958, so that the data are the same everywhere.
class Noise {
 public:
  explicit Noise(uint64_t seed) : random_(seed) {}
  double Uniform() { return (static_cast<double>(random_() >> 11) + 0.5) * 0x1.0p-53; }
  double Normal() { return std::sqrt(-2.0 * std::log(Uniform())) * std::cos(kTurn * Uniform()); }

 private:
  std::mt19937_64 random_;
};

// A run of a forecaster on a table: imports, trains and evaluates on the test split.
nlohmann::json Learn(const std::string& table, const std::vector<std::string>& import,
                     const std::string& model_and_task, const Settings& settings = {}) {
  TaskCase one;
  one.configuration = model_and_task;
  one.source = table;
  one.import = import;
  const SmallRun run(one);
  run.TrainToTheEnd("runs/a", 0,
                    Settings{"evaluation.every_steps=100", "checkpoint.every_steps=0"} + settings);
  const Outcome outcome = RunProgram(
      run.Command({"evaluate", "runs/a/checkpoints/best.h5", "--split", "test", "--json"}));
  EXPECT_EQ(outcome.status, 0) << outcome.err;
  return nlohmann::json::parse(outcome.out);
}

double Scaled(const nlohmann::json& result, const std::string& path, const char* metric) {
  return result.at(nlohmann::json::json_pointer(path + "/scaled")).at(metric).get<double>();
}
double Mse(const nlohmann::json& result) { return Scaled(result, "/metrics", "mse"); }
double PersistenceMse(const nlohmann::json& result) {
  return Scaled(result, "/baselines/persistence", "mse");
}

std::string Column(int rows, const std::function<double(int)>& value) {
  std::string table = "y\n";
  for (int t = 0; t < rows; ++t) table += fmt::format("{:.5f}\n", value(t));
  return table;
}

const char* const kWindows =
    "data { lanes: 32 } model { cell: GRU layers: 1 hidden_size: 32 "
    "dropout: 0 } ";

TEST(ForecastLearningTest, ADampedSineBeatsPersistenceByHalf) {
  Noise noise(1);
  // Struck anew every 150 rows.
  const std::string table = Column(1500, [&](int t) {
    const int since = t % 150;
    return 10.0 * std::exp(-since / 80.0) * std::sin(kTurn * since / 20.0) + 0.2 * noise.Normal();
  });
  const auto result = Learn(table, {"series"},
                            std::string(kWindows) + "task { forecast { history: 40 horizon: 10 } }",
                            {"training.steps=300"});
  EXPECT_LT(Mse(result), 0.5 * PersistenceMse(result)) << result;
}

TEST(ForecastLearningTest, ASeasonalPanelOfUnequalLengthsBeatsSeasonalNaive) {
  Noise noise(2);
  std::string table = "id,t,y\n";
  for (int series = 0; series < 100; ++series) {
    const int rows = 100 + 3 * series;
    const double level = 50.0 * noise.Normal(), width = 5.0 + 10.0 * noise.Uniform();
    const double phase = noise.Uniform();
    for (int t = 0; t < rows; ++t) {
      table += fmt::format(
          "s{},{},{:.4f}\n", series, 86400 * t,
          level + width * std::sin(kTurn * (t / 7.0 + phase)) + 0.15 * width * noise.Normal());
    }
  }
  const auto result = Learn(
      table, {"series", "--series", "id", "--time", "t"},
      std::string(kWindows) + "task { forecast { history: 21 horizon: 7 normalization: MEAN } }",
      {"training.steps=500"});
  EXPECT_EQ(result.at("season"), 7);
  EXPECT_LT(Mse(result), 0.9 * Scaled(result, "/baselines/seasonal_naive", "mse")) << result;
}

// The best forecast of a random walk is its last value: whoever beats that has seen the future.
TEST(ForecastLearningTest, ARandomWalkIsNotBetterThanPersistence) {
  Noise noise(3);
  double walk = 0.0;
  const std::string table = Column(4000, [&](int) { return walk += noise.Normal(); });
  const auto result = Learn(table, {"series"},
                            std::string(kWindows) + "task { forecast { history: 30 horizon: 5 } }",
                            {"training.steps=300"});
  EXPECT_GT(Mse(result), 0.95 * PersistenceMse(result)) << result;
  EXPECT_LT(Mse(result), 1.3 * PersistenceMse(result)) << "it has learnt something wrong";
}

// A value that nothing but its own row's covariate tells.
class KnownCovariateTest : public testing::TestWithParam<const char*> {};

TEST_P(KnownCovariateTest, IsLearnt) {
  Noise noise(4);
  std::string table = "t,price,y\n";
  for (int t = 0; t < 1500; ++t) {
    const double price = noise.Uniform() < 0.3 ? 1.0 : 0.0;
    table += fmt::format("{},{},{:.4f}\n", 3600 * t, price, 5.0 * price + 0.2 * noise.Normal());
  }
  const auto result =
      Learn(table, {"series", "--time", "t", "--known", "price"},
            fmt::format(
                "data {{ lanes: 32 time_steps: 20 }} model {{ cell: GRU layers: 1 hidden_size: 32 "
                "dropout: 0 }} task {{ forecast {{ history: 12 horizon: 6 normalization: NONE {} "
                "}} }}",
                GetParam()),
            {"training.steps=600"});
  // Half of the variance is what one gets who does not look at the price and knows the mean.
  EXPECT_LT(Mse(result), 0.1) << result;
}

INSTANTIATE_TEST_SUITE_P(Decodings, KnownCovariateTest,
                         testing::Values("decoding: DIRECT", "decoding: SEGMENTS segment_length: 3",
                                         "decoding: AUTOREGRESSIVE gaussian { } samples: 50",
                                         "decoding: STREAM"));

// Its first steps have no target: they say nothing of what a good loss is.
TEST(ForecastLearningTest, ASeriesThatBeginsWithoutValuesDoesNotDiverge) {
  const std::string table = Column(400, [](int t) { return 1e4 + 1e3 * std::sin(t / 3.0); });
  std::string masked = "y\n";
  for (int t = 0; t < 60; ++t) masked += "NaN\n";
  masked += table.substr(2);
  const auto result =
      Learn(masked, {"series", "--missing", "mask", "--scale", "none"},
            "data { lanes: 1 time_steps: 4 } model { cell: GRU layers: 1 hidden_size: "
            "8 dropout: 0 } task { forecast { decoding: STREAM normalization: NONE "
            "history: 20 horizon: 5 } }",
            {"training.steps=80"});
  EXPECT_TRUE(std::isfinite(Mse(result))) << result;
}

// The level of the test split was never seen in training.
TEST(ForecastLearningTest, NormalisedWindowsBearAShiftOfTheMean) {
  Noise noise(5);
  const std::string table = Column(2000, [&](int t) {
    return (t >= 1500 ? 40.0 : 0.0) + 3.0 * std::sin(kTurn * t / 12.0) + 0.3 * noise.Normal();
  });
  const auto with = [&](const char* normalization) {
    return Mse(Learn(table, {"series", "--split", "70,6,24"},
                     std::string(kWindows) +
                         fmt::format("task {{ forecast {{ history: 24 horizon: 12 normalization: "
                                     "{} }} }}",
                                     normalization),
                     {"training.steps=300"}));
  };
  const double none = with("NONE");
  for (const char* normalization : {"LAST", "MEAN", "MEAN_AND_DEVIATION"}) {
    EXPECT_LT(with(normalization), 0.1 * none) << normalization;
  }
}

// Losses that say how sure they are, on noise whose spread is known.
class IntervalsTest : public testing::TestWithParam<const char*> {};

TEST_P(IntervalsTest, OfEightyPercentCoverEightyPercent) {
  Noise noise(6);
  const std::string table =
      Column(20000, [&](int t) { return 2.0 * std::sin(kTurn * t / 10.0) + noise.Normal(); });
  const auto result =
      Learn(table, {"series"},
            fmt::format("data {{ lanes: 64 time_steps: 40 }} model {{ cell: GRU layers: 1 "
                        "hidden_size: 24 dropout: 0 }} task {{ forecast {{ horizon: 5 "
                        "normalization: NONE samples: 200 {} }} }}",
                        GetParam()),
            {"training.steps=400"});
  EXPECT_NEAR(Scaled(result, "/metrics", "coverage80"), 0.80, 0.05) << result;
}

INSTANTIATE_TEST_SUITE_P(Losses, IntervalsTest,
                         testing::Values("history: 30 gaussian { }", "history: 30 student_t { }",
                                         "history: 30 quantiles { levels: \"0.1,0.5,0.9\" }",
                                         "history: 30 decoding: AUTOREGRESSIVE gaussian { }",
                                         // Its state must settle first.
                                         "history: 120 decoding: STREAM gaussian { }"));

}  // namespace
}  // namespace lockstep::trainer
