// The whole training step of a forecaster (forward, backward, clip, Adam), SEGMENTS and DIRECT, on
// a batch that is ready in memory; medians. The partner of pytorch_forecaster.py.

#include <cstdint>
#include <random>
#include <vector>

#include <fmt/format.h>

#include "tests/bench/model_steps.h"
#include "worker/models/forecaster.h"
#include "worker/products/gemm.h"

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
  AddStepOptions(app, s.threads, s.turns);
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

void Run(const Settings& s) {
  Forecaster model(OptionsOf(s));
  ModelSteps steps(model);
  std::mt19937 generator(1);
  const int64_t series = s.items * s.channels;
  const auto history = RandomValues(generator, s.history * series);
  const auto targets = RandomValues(generator, s.horizon * series);
  const ForecastBatch batch{.items = s.items, .history = history.data(), .targets = targets.data()};
  for (int turn = 0; turn < s.turns + ModelSteps::kWarmUp; ++turn) {
    steps.Step(static_cast<double>(s.horizon * series), [&](const DropoutSite& site) {
      const ForecastSum sum = model.Forward(batch, nullptr, site);
      return BatchLoss{sum.loss, static_cast<double>(sum.targets)};
    });
  }
  fmt::print(
      "{}, GRU {} x {}, {} windows x {} channels, {} to {}, segment {}, dropout {}; {} "
      "threads; oneDNN {}; {} parameters\n{}\n{}\n",
      s.direct ? "DIRECT" : "SEGMENTS", s.layers, s.hidden, s.items, s.channels, s.history,
      s.horizon, s.segment, s.dropout, s.threads, GemmDescription(), model.parameters().size(),
      steps.Describe("target values"), DescribeProducts());
}

}  // namespace
}  // namespace lockstep::worker

int main(int argc, char** argv) {
  lockstep::worker::Settings settings;
  return lockstep::worker::RunBench(
      argc, argv, "forecaster_bench", "Measures the training step of a forecaster",
      settings.threads, [&](CLI::App& app) { lockstep::worker::ParseSettings(app, settings); },
      [&] { lockstep::worker::Run(settings); });
}
