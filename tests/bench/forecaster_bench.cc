// The whole training step of a forecaster (forward, backward, clip, Adam), SEGMENTS and DIRECT, on
// a batch that is ready in memory; medians. The partner of pytorch_forecaster.py.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "worker/models/forecaster.h"
#include "worker/models/initialization.h"
#include "worker/optimizers/clip.h"
#include "worker/optimizers/optimizer.h"
#include "worker/products/gemm.h"
#include "worker/threads.h"

namespace lockstep::worker {
namespace {

struct Settings {
  int64_t items = 256, channels = 7, history = 96, horizon = 96, segment = 24, hidden = 512;
  int layers = 1, threads = 0, turns = 11;
  double dropout = 0.5;
  bool direct = false;
};

void ParseSettings(CLI::App& app, Settings& s) {
  app.add_flag("--direct", s.direct, "DIRECT instead of SEGMENTS");
  app.add_option("--items", s.items, "windows of a batch")->capture_default_str();
  app.add_option("--channels", s.channels, "each a row of its own")->capture_default_str();
  app.add_option("--history", s.history)->capture_default_str();
  app.add_option("--horizon", s.horizon)->capture_default_str();
  app.add_option("--segment", s.segment)->capture_default_str();
  app.add_option("--hidden", s.hidden)->capture_default_str();
  app.add_option("--layers", s.layers)->capture_default_str();
  app.add_option("--dropout", s.dropout)->capture_default_str();
  app.add_option("--threads", s.threads, "0: OMP_NUM_THREADS, or every core")
      ->capture_default_str();
  app.add_option("--turns", s.turns, "measured, after two that are not")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
}

ForecasterOptions OptionsOf(const Settings& s) {
  ForecasterOptions options;
  options.decoding = s.direct ? Decoding::kDirect : Decoding::kSegments;
  options.cell = Cell::kGru;
  options.layers = s.layers;
  options.hidden_size = s.hidden;
  options.dropout = s.dropout;
  options.history = s.history;
  options.horizon = s.horizon;
  options.segment_length = s.segment;
  options.channels = s.channels;
  options.channel_embedding = s.direct ? 0 : s.hidden / 2;
  options.normalization = Normalization::kLast;
  return options;
}

std::vector<float> RandomValues(std::mt19937& generator, int64_t count) {
  std::normal_distribution<float> normal;
  std::vector<float> values(count);
  for (float& value : values) value = normal(generator);
  return values;
}

double Median(std::vector<double> values) {
  std::ranges::sort(values);
  const size_t middle = values.size() / 2;
  return values.size() % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

void Run(const Settings& s) {
  SetThreads(s.threads);
  Forecaster model(OptionsOf(s));
  Initialize(model.parameters(), {});
  Optimizer optimizer(AdamOptions{}, model.parameters().size());
  std::mt19937 generator(1);
  const int64_t series = s.items * s.channels;
  const auto history = RandomValues(generator, s.history * series);
  const auto targets = RandomValues(generator, s.horizon * series);
  const ForecastBatch batch{.items = s.items, .history = history.data(), .targets = targets.data()};
  using Clock = std::chrono::steady_clock;
  std::vector<double> seconds[4];  // forward, backward, update, all
  double loss = 0.0;
  for (int turn = -2; turn < s.turns; ++turn) {
    const auto gradient = model.parameters().gradient();
    const auto start = Clock::now();
    const ForecastSum sum =
        model.Forward(batch, nullptr, {.seed = 1, .batch = static_cast<uint64_t>(turn + 2)});
    const auto forward = Clock::now();
    std::ranges::fill(gradient, 0.0f);
    model.Backward();
    const auto backward = Clock::now();
    Scale(gradient, 1.0 / static_cast<double>(sum.targets));
    ClipByGlobalNorm(gradient, GlobalNorm(gradient), 1.0);
    optimizer.Step(model.parameters().values(), gradient, 1e-3);
    const auto end = Clock::now();
    loss = sum.loss / static_cast<double>(sum.targets);
    const std::chrono::duration<double> parts[] = {forward - start, backward - forward,
                                                   end - backward, end - start};
    for (int i = 0; i < 4 && turn >= 0; ++i) seconds[i].push_back(parts[i].count());
  }
  if (!std::isfinite(loss)) throw std::runtime_error(fmt::format("the loss is {}", loss));
  const double step = Median(seconds[3]);
  fmt::print(
      "{}, GRU {} x {}, {} windows x {} channels, {} to {}, segment {}, dropout {}; {} "
      "threads; oneDNN {}; {} parameters\n",
      s.direct ? "DIRECT" : "SEGMENTS", s.layers, s.hidden, s.items, s.channels, s.history,
      s.horizon, s.segment, s.dropout, s.threads, GemmDescription(), model.parameters().size());
  fmt::print(
      "median of {} steps {:.2f} ms (forward {:.2f}, backward {:.2f}, update {:.2f}), {:.0f} "
      "target values/s\n",
      s.turns, step * 1e3, Median(seconds[0]) * 1e3, Median(seconds[1]) * 1e3,
      Median(seconds[2]) * 1e3, static_cast<double>(s.horizon * series) / step);
  std::vector<std::string> engines;
  for (const auto& [engine, count] : ProductEngines()) {
    engines.push_back(fmt::format("{} x {}", engine, count));
  }
  fmt::print("products: {}\n", fmt::join(engines, ", "));
}

}  // namespace
}  // namespace lockstep::worker

int main(int argc, char** argv) {
  CLI::App app("Measures the training step of a forecaster");
  lockstep::worker::Settings settings;
  lockstep::worker::ParseSettings(app, settings);
  CLI11_PARSE(app, argc, argv);
  if (settings.threads == 0) settings.threads = lockstep::worker::DefaultThreads();
  try {
    lockstep::worker::Run(settings);
  } catch (const std::exception& error) {
    fmt::print(stderr, "forecaster_bench: {}\n", error.what());
    return 1;
  }
  return 0;
}
