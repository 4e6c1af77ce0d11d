#include "io/run/metrics_log.h"

#include <atomic>
#include <cmath>
#include <numeric>
#include <sstream>
#include <thread>

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <nlohmann/json.hpp>
#include <signal.h>
#include <sys/resource.h>

#include "io/errors.h"
#include "tests/io/child_process.h"
#include "tests/io/file_bytes.h"
#include "tests/io/temporary_folder.h"

namespace lockstep::io {
namespace {

StepMetrics Metrics(int64_t step) {
  StepMetrics metrics;
  metrics.step = step;
  metrics.epoch = 1;
  metrics.loss = 1.0 / 3 + static_cast<double>(step);
  metrics.gradient_norm = 1e-300;
  metrics.learning_rate = 0.1;
  metrics.predictions_per_second = 12345.678;
  metrics.unit = "tokens";
  return metrics;
}

std::vector<nlohmann::json> Lines(const std::filesystem::path& path) {
  std::vector<nlohmann::json> lines;
  std::istringstream text(Bytes(path));
  for (std::string line; std::getline(text, line);) lines.push_back(nlohmann::json::parse(line));
  return lines;
}

std::vector<int64_t> Steps(const std::filesystem::path& path) {
  std::vector<int64_t> steps;
  for (const auto& line : Lines(path)) steps.push_back(line["step"]);
  return steps;
}

class MetricsLogTest : public testing::Test {
 protected:
  TemporaryFolder folder_;
  std::filesystem::path path_ = folder_ / "metrics.jsonl";
};

TEST_F(MetricsLogTest, LinesMayComeWhileAnotherThreadSyncs) {
  MetricsLog log(path_, 0);
  std::atomic<bool> ends = false;
  std::thread syncs([&] {
    while (!ends) log.Sync();
  });
  std::vector<int64_t> steps(2000);
  std::iota(steps.begin(), steps.end(), 1);
  for (const int64_t step : steps) log.Write(Metrics(step));
  ends = true;
  syncs.join();
  log.Sync();
  EXPECT_EQ(Steps(path_), steps);
}

TEST_F(MetricsLogTest, NumbersReadBackToTheSameBits) {
  MetricsLog log(path_, 0);
  StepMetrics metrics = Metrics(1);
  log.Write(metrics);
  metrics.step = 2;
  metrics.validation = {{"loss", 2.0 / 3}, {"perplexity", 1.5}};
  metrics.loss = NAN;
  log.Write(metrics);
  // Each line is there before the log is closed.
  const auto lines = Lines(path_);
  ASSERT_EQ(lines.size(), 2u);
  EXPECT_EQ(lines[0]["step"], 1);
  EXPECT_EQ(lines[0]["epoch"], 1);
  EXPECT_EQ(lines[0]["loss"].get<double>(), 1.0 / 3 + 1);
  EXPECT_EQ(lines[0]["gradient_norm"].get<double>(), 1e-300);
  EXPECT_EQ(lines[0]["learning_rate"].get<double>(), 0.1);
  EXPECT_EQ(lines[0]["tokens_per_second"].get<double>(), 12345.678);
  EXPECT_FALSE(lines[0].contains("validation_loss"));
  EXPECT_EQ(lines[1]["validation_loss"].get<double>(), 2.0 / 3);
  EXPECT_EQ(lines[1]["validation_perplexity"].get<double>(), 1.5);
  EXPECT_TRUE(lines[1]["loss"].is_null());
}

TEST_F(MetricsLogTest, GoesOnAfterTheLastStep) {
  {
    MetricsLog log(path_, 0);
    for (int64_t step = 1; step <= 10; ++step) log.Write(Metrics(step));
  }
  {
    MetricsLog log(path_, 7);
    EXPECT_THAT(Steps(path_), testing::ElementsAre(1, 2, 3, 4, 5, 6, 7));
    log.Write(Metrics(8));
  }
  EXPECT_THAT(Steps(path_), testing::ElementsAre(1, 2, 3, 4, 5, 6, 7, 8));
  { MetricsLog log(path_, 100); }
  EXPECT_EQ(Steps(path_).size(), 8u);
  { MetricsLog log(path_, 0); }
  EXPECT_EQ(Bytes(path_), "");
  EXPECT_THAT(folder_.Names(), testing::ElementsAre("metrics.jsonl"));
}

TEST_F(MetricsLogTest, CutsHalfALine) {
  // The last line lacks only its line feed, and may lack digits of its last number.
  for (const char* half : {"{\"step\":2,\"lo", "{\"step\":2}", "garbage\n", "[]\n", "{}\n"}) {
    PutBytes(path_, std::string("{\"step\":1,\"epoch\":1}\n") + half);
    MetricsLog log(path_, 5);
    EXPECT_EQ(Bytes(path_), "{\"step\":1,\"epoch\":1}\n") << half;
  }
}

TEST_F(MetricsLogTest, AnythingThatCannotBeWrittenIsAnError) {
  EXPECT_THROW(MetricsLog(folder_ / "missing/metrics.jsonl", 0), InputError);
  PutBytes(folder_ / "file", "");
  EXPECT_THROW(MetricsLog(folder_ / "file/metrics.jsonl", 0), InputError);
  EXPECT_THROW(MetricsLog(folder_.path(), 0), InputError);
}

// A limit on the size of files stands in for a full disk: once it is raised, no line is missing.
TEST_F(MetricsLogTest, LinesThatCannotBeWrittenWaitForRoom) {
  ChildProcess writer([&] {
    ::signal(SIGXFSZ, SIG_IGN);
    const rlimit tight = {1000, RLIM_INFINITY}, wide = {RLIM_INFINITY, RLIM_INFINITY};
    ::setrlimit(RLIMIT_FSIZE, &tight);
    MetricsLog log(path_, 0);
    for (int64_t step = 1; step <= 3; ++step) log.Write(Metrics(step));
    log.Sync();
    for (int64_t step = 4; step <= 100; ++step) log.Write(Metrics(step));
    for (int time = 0; time < 2; ++time) {
      try {
        log.Sync();
        return 1;
      } catch (const SystemError& error) {
        const std::string message = error.what();
        if (message.find(path_.string()) == std::string::npos) return 2;
        if (message.find("File too large") == std::string::npos) return 3;
      }
    }
    ::setrlimit(RLIMIT_FSIZE, &wide);
    log.Write(Metrics(101));
    log.Sync();
    log.Write(Metrics(102));
    return 0;
  });
  EXPECT_EQ(writer.Wait(), 0);
  std::vector<int64_t> all(102);
  std::iota(all.begin(), all.end(), 1);
  EXPECT_EQ(Steps(path_), all);
}

}  // namespace
}  // namespace lockstep::io
