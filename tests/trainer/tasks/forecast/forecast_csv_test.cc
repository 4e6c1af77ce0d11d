#include "trainer/tasks/forecast/forecast_csv.h"

#include <cmath>
#include <limits>
#include <random>
#include <sstream>
#include <stdexcept>

#include <gtest/gtest.h>

namespace lockstep::trainer {
namespace {

const std::vector<double> kLevels = {0.1, 0.5, 0.975};

TEST(ForecastCsvTest, HeaderAndRows) {
  std::ostringstream out;
  ForecastCsv csv(out, kLevels);
  csv.Row("2017-10-24 20:00:00", "etth1", "OT", 7.25, std::vector<double>{-5.5, 0.1, 1e-9});
  EXPECT_EQ(out.str(),
            "time,series,channel,mean,q0.1,q0.5,q0.975\n"
            "2017-10-24 20:00:00,etth1,OT,7.25,-5.5,0.1,1e-09\n");
}

TEST(ForecastCsvTest, WithoutQuantiles) {
  std::ostringstream out;
  ForecastCsv csv(out, {});
  csv.Row("12", "a", "b", 3.0f, {});
  EXPECT_EQ(out.str(), "time,series,channel,mean\n12,a,b,3\n");
  EXPECT_THROW(csv.Row("12", "a", "b", 3.0f, std::vector<double>{1.0}), std::invalid_argument);
}

TEST(ForecastCsvTest, FieldsAreQuotedWhereTheyMust) {
  std::ostringstream out;
  ForecastCsv csv(out, {});
  csv.Row("1", "a,b", "say \"x\"", 1.0f, {});
  csv.Row("2", "two\nlines", "cr\r", 2.0f, {});
  csv.Row("3", "", "with space; and 'this'", 3.0f, {});
  EXPECT_EQ(out.str(),
            "time,series,channel,mean\n"
            "1,\"a,b\",\"say \"\"x\"\"\",1\n"
            "2,\"two\nlines\",\"cr\r\",2\n"
            "3,,with space; and 'this',3\n");
}

TEST(ForecastCsvTest, NumbersThatAreNone) {
  std::ostringstream out;
  ForecastCsv csv(out, std::vector<double>{0.1, 0.9});
  const double infinity = std::numeric_limits<double>::infinity();
  csv.Row("1", "a", "b", std::nan(""), std::vector<double>{-infinity, infinity});
  EXPECT_EQ(out.str(), "time,series,channel,mean,q0.1,q0.9\n1,a,b,,-inf,inf\n");
}

TEST(ForecastCsvTest, NumbersHaveTheDigitsOfLargeValues) {
  std::ostringstream out;
  ForecastCsv csv(out, std::vector<double>{0.5}, true);
  csv.Row("1", "a", "b", 1e9 + 1, std::vector<double>{7.2499999523162842}, 12.345f);
  csv.Row("2", "a", "b", -0.25, std::vector<double>{123456.75}, std::nanf(""));
  EXPECT_EQ(out.str(),
            "time,series,channel,mean,q0.5,truth\n"
            "1,a,b,1000000001,7.249999952,12.345\n"
            "2,a,b,-0.25,123456.75,\n");
}

TEST(ForecastCsvTest, TruthReadsBackTheSame) {
  std::mt19937 random(1);
  std::normal_distribution<float> normal;
  for (int i = 0; i < 1000; ++i) {
    const float value = normal(random) * std::pow(10.0f, static_cast<float>(i % 60) - 30.0f);
    std::ostringstream out;
    ForecastCsv csv(out, {}, true);
    csv.Row("", "", "", value, {}, value);
    const std::string text = out.str();
    const size_t comma = text.rfind(',');
    const std::string truth = text.substr(comma + 1);
    const std::string mean = text.substr(text.rfind(',', comma - 1) + 1);
    EXPECT_EQ(std::stof(truth), value) << text;
    EXPECT_EQ(std::stof(mean), value) << text;
    EXPECT_LE(truth.size(), 16u);
  }
}

}  // namespace
}  // namespace lockstep::trainer
