// The whole training step of one rank (forward, backward, clip, Adam) beside oneDNN's own LSTM
// primitive (forward_training and backward, nothing else: no embedding, projection, loss or update,
// and weights that stand ready in its layout). Both take turns in one process, so that whatever
// else the machine does meets both; medians over the turns.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <fstream>
#include <map>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>

#include "tests/worker/onednn_lstm.h"
#include "worker/clip.h"
#include "worker/gate_kernels.h"
#include "worker/gemm.h"
#include "worker/initialization.h"
#include "worker/language_model.h"
#include "worker/optimizer.h"
#include "worker/threads.h"

namespace lockstep::worker {
namespace {

struct Settings {
  int64_t vocabulary = 65, embedding = 512, hidden = 512, time_steps = 64, lanes = 64;
  int layers = 2, threads = 0, turns = 11;
  double dropout = 0.0;
};

void ParseSettings(CLI::App& app, Settings& s) {
  app.add_option("--vocabulary", s.vocabulary)->capture_default_str();
  app.add_option("--embedding", s.embedding)->capture_default_str();
  app.add_option("--hidden", s.hidden)->capture_default_str();
  app.add_option("--layers", s.layers, "more than one: with embedding = hidden only")
      ->capture_default_str();
  app.add_option("--time-steps", s.time_steps)->capture_default_str();
  app.add_option("--lanes", s.lanes)->capture_default_str();
  app.add_option("--dropout", s.dropout)->capture_default_str();
  app.add_option("--threads", s.threads, "0: OMP_NUM_THREADS, or every core")
      ->capture_default_str();
  app.add_option("--turns", s.turns, "measured turns of each side, after two that are not")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
}

/// Seconds of every turn, by the name of what was done.
class Times {
 public:
  template <class Work>
  void Measure(const std::string& name, const Work& work) {
    const auto start = std::chrono::steady_clock::now();
    work();
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - start;
    seconds_[name].push_back(taken.count());
  }

  void Clear() { seconds_.clear(); }

  double Median(const std::string& name) const {
    std::vector<double> sorted = seconds_.at(name);
    std::ranges::sort(sorted);
    const size_t middle = sorted.size() / 2;
    return sorted.size() % 2 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
  }

 private:
  std::map<std::string, std::vector<double>> seconds_;
};

std::vector<float> RandomValues(std::mt19937& generator, int64_t count, float bound) {
  std::uniform_real_distribution<float> uniform(-bound, bound);
  std::vector<float> values(count);
  for (float& value : values) value = uniform(generator);
  return values;
}

void RequireFinite(const char* what, double value) {
  if (!std::isfinite(value)) throw std::runtime_error(fmt::format("{} is {}", what, value));
}

/// Our side: steps as a rank does them, with the state carried from one to the next.
class TrainingStep {
 public:
  explicit TrainingStep(const Settings& s)
      : settings_(s),
        model_({.vocabulary_size = s.vocabulary,
                .embedding_size = s.embedding,
                .cell = Cell::kLstm,
                .layers = s.layers,
                .hidden_size = s.hidden,
                .dropout = s.dropout}),
        optimizer_(AdamOptions{}, model_.parameters().size()),
        state_(model_.ZeroState(s.lanes)) {
    Initialize(model_, {});
    std::mt19937 generator(1);
    for (int64_t i = 0; i <= s.time_steps * s.lanes; ++i) {
      tokens_.push_back(static_cast<int32_t>(generator() % s.vocabulary));
    }
  }

  void Run(Times& times) {
    times.Measure("training step", [&] {
      const TokenBatch batch{settings_.time_steps, settings_.lanes, tokens_.data(),
                             tokens_.data() + 1};
      const auto gradient = model_.parameters().gradient();
      times.Measure("forward",
                    [&] { loss_ = model_.Forward(batch, state_, {.seed = 1, .batch = step_++}); });
      times.Measure("backward", [&] {
        std::ranges::fill(gradient, 0.0f);
        model_.Backward();
      });
      times.Measure("clip and Adam", [&] {
        Scale(gradient, 1.0 / static_cast<double>(settings_.time_steps * settings_.lanes));
        norm_ = GlobalNorm(gradient);
        ClipByGlobalNorm(gradient, norm_, 1.0);
        optimizer_.Step(model_.parameters().values(), gradient, 1e-3);
      });
    });
  }

  void Check() const {
    RequireFinite("the training step's loss", loss_);
    RequireFinite("the training step's gradient norm", norm_);
    RequireFinite("the norm of the weights", GlobalNorm(model_.parameters().values()));
  }

  int64_t parameters() const { return model_.parameters().size(); }

 private:
  const Settings settings_;
  LanguageModel model_;
  Optimizer optimizer_;
  RecurrentState state_;
  std::vector<int32_t> tokens_;
  uint64_t step_ = 0;
  double loss_ = 0.0, norm_ = 0.0;
};

/// Their side: the primitive over all layers at once.
class Primitive {
 public:
  explicit Primitive(const Settings& s)
      : lstm_({s.layers, s.time_steps, s.lanes, s.embedding, s.hidden}) {
    std::mt19937 generator(1);
    const int64_t rows = s.layers * 4 * s.hidden;
    const float bound = 1.0f / std::sqrt(static_cast<float>(s.hidden));
    const auto weights_ih = RandomValues(generator, rows * s.embedding, bound);
    const auto weights_hh = RandomValues(generator, rows * s.hidden, bound);
    const auto bias = RandomValues(generator, rows, bound);
    lstm_.SetWeights(weights_ih.data(), weights_hh.data(), bias.data());
    x_ = RandomValues(generator, s.time_steps * s.lanes * s.embedding, 1.0f);
    d_output_ = RandomValues(generator, s.time_steps * s.lanes * s.hidden, 0.01f);
    h_.resize(s.layers * s.lanes * s.hidden);
    c_.resize(h_.size());
  }

  void Run(Times& times) {
    times.Measure("primitive", [&] {
      times.Measure("primitive forward", [&] { lstm_.Forward(x_.data(), h_.data(), c_.data()); });
      times.Measure("primitive backward", [&] { lstm_.Backward(d_output_.data()); });
    });
  }

  void Check() const {
    const OnednnLstm::Gradients gradients = lstm_.gradients();
    RequireFinite("the primitive's state", GlobalNorm(h_));
    for (const auto* part : {&gradients.input, &gradients.weights_ih, &gradients.weights_hh}) {
      RequireFinite("the primitive's gradient", GlobalNorm(*part));
    }
  }

 private:
  OnednnLstm lstm_;
  std::vector<float> x_, d_output_, h_, c_;
};

std::string CpuName() {
  std::ifstream file("/proc/cpuinfo");
  for (std::string line; std::getline(file, line);) {
    if (line.starts_with("model name")) return line.substr(line.find(": ") + 2);
  }
  return "unknown";
}

void Report(const Settings& s, const Times& times) {
  const double tokens = static_cast<double>(s.time_steps * s.lanes);
  for (const char* name : {"training step", "forward", "backward", "clip and Adam", "primitive",
                           "primitive forward", "primitive backward"}) {
    const double median = times.Median(name);
    fmt::print("{:<20}{:10.2f} ms{:12.0f} tokens/s\n", name, median * 1e3, tokens / median);
  }
  fmt::print("ratio, training step to primitive: {:.3f} of its tokens/s\n",
             times.Median("primitive") / times.Median("training step"));
}

void Run(const Settings& s) {
  if (s.layers > 1 && s.embedding != s.hidden) {
    throw std::invalid_argument("oneDNN's primitive stacks layers only with embedding = hidden");
  }
  SetThreads(s.threads);
  TrainingStep ours(s);
  Primitive theirs(s);
  fmt::print("CPU {}; {} threads; oneDNN {}; gate kernels {}\n", CpuName(), s.threads,
             GemmDescription(), GateKernelTarget());
  fmt::print(
      "LSTM, vocabulary {}, embedding {}, {} layers of {}, T {}, lanes {}, dropout {}; "
      "{} parameters; medians of {} turns\n",
      s.vocabulary, s.embedding, s.layers, s.hidden, s.time_steps, s.lanes, s.dropout,
      ours.parameters(), s.turns);
  Times times;
  for (int turn = -2; turn < s.turns; ++turn) {
    if (turn == 0) times.Clear();
    ours.Run(times);
    theirs.Run(times);
  }
  ours.Check();
  theirs.Check();
  Report(s, times);
}

}  // namespace
}  // namespace lockstep::worker

int main(int argc, char** argv) {
  CLI::App app("Measures the training step beside oneDNN's own LSTM primitive");
  lockstep::worker::Settings settings;
  lockstep::worker::ParseSettings(app, settings);
  CLI11_PARSE(app, argc, argv);
  if (settings.threads == 0) settings.threads = lockstep::worker::DefaultThreads();
  try {
    lockstep::worker::Run(settings);
  } catch (const std::exception& error) {
    fmt::print(stderr, "training_step_bench: {}\n", error.what());
    return 1;
  }
  return 0;
}
