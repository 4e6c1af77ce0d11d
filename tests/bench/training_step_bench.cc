// The whole training step of one rank (forward, backward, clip, Adam) beside oneDNN's own recurrent
// primitive of the same cell (forward_training and backward, nothing else: no embedding,
// projection, loss or update, and weights that stand ready in its layout) and beside the most that
// the processor's multipliers could do. Both take turns in one process, so that whatever else the
// machine does meets both; medians over the runs of all turns. --isa all runs a child process for
// each instruction set of the machine, limited to it by ONEDNN_MAX_CPU_ISA.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "tests/worker/onednn_layers.h"
#include "trainer/commands/benchmark_step.h"
#include "worker/layers/gate_kernels.h"
#include "worker/optimizers/clip.h"
#include "worker/products/gemm.h"
#include "worker/products/instruction_set.h"
#include "worker/products/multiply_limit.h"
#include "worker/threads.h"

namespace lockstep::worker {
namespace {

using trainer::BenchmarkSeconds;
using trainer::BenchmarkStep;
using trainer::BenchmarkValues;
using trainer::CpuName;
using trainer::Median;
using trainer::RequireFinite;

using Clock = std::chrono::steady_clock;

struct Settings : trainer::BenchmarkShape {
  int threads = 0, turns = 11;
  std::string isa;  // empty: this process as it is
  bool bf16 = false, row = false;
};

/// By their names in a configuration; those that OnednnLayers can stand beside.
std::map<std::string, Cell> Cells() {
  std::map<std::string, Cell> cells;
  for (const Cell cell : AllCells()) {
    if (!FactsOf(cell).peephole) cells[FactsOf(cell).name] = cell;
  }
  return cells;
}

void ParseSettings(CLI::App& app, Settings& s) {
  app.add_option_function<std::string>(
         "--cell", [&s](const std::string& name) { s.cell = Cells().at(name); }, "default: LSTM")
      ->check(CLI::IsMember(Cells()));
  app.add_option("--isa", s.isa,
                 "all: a row for each instruction set of this machine; or one, as "
                 "ONEDNN_MAX_CPU_ISA takes it");
  app.add_flag("--row", s.row, "one line of bare numbers, for --isa all")->group("");
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
  app.add_flag("--bf16", s.bf16, "the step's products in bf16; the primitive in float32");
  app.add_option("--turns", s.turns, "measured turns of each side, after one that is not")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
}

using Runs = std::vector<BenchmarkSeconds>;

/// Seconds of the middle one by what `part` takes of each.
template <class Part>
double MedianOf(const Runs& runs, const Part& part) {
  std::vector<double> seconds;
  for (const BenchmarkSeconds& run : runs) seconds.push_back(std::invoke(part, run));
  return Median(seconds);
}

/// Their side: the primitive over all layers at once.
class Primitive {
 public:
  explicit Primitive(const Settings& s)
      : layers_({s.cell, s.layers, s.time_steps, s.lanes, s.embedding, s.hidden}) {
    const int64_t rows = s.layers * FactsOf(s.cell).gates * s.hidden;
    const float bound = 1.0f / std::sqrt(static_cast<float>(s.hidden));
    const auto weights_ih = BenchmarkValues(rows * s.embedding, bound);
    const auto weights_hh = BenchmarkValues(rows * s.hidden, bound, 2);
    // kGru has a fourth part.
    const auto bias = BenchmarkValues(s.layers * 4 * s.hidden, bound, 3);
    layers_.SetWeights(weights_ih.data(), weights_hh.data(), bias.data());
    x_ = BenchmarkValues(s.time_steps * s.lanes * s.embedding, 1.0f);
    d_output_ = BenchmarkValues(s.time_steps * s.lanes * s.hidden, 0.01f, 4);
    h_.resize(s.layers * s.lanes * s.hidden);
    c_.resize(h_.size());
  }

  BenchmarkSeconds Run() {
    const auto start = Clock::now();
    layers_.Forward(x_.data(), h_.data(), c_.data());
    const auto turned = Clock::now();
    layers_.Backward(d_output_.data());
    const std::chrono::duration<double> forward = turned - start, backward = Clock::now() - turned;
    return {.forward = forward.count(), .backward = backward.count()};
  }

  void Check() const {
    const OnednnLayers::Gradients gradients = layers_.gradients();
    RequireFinite("the primitive's state", GlobalNorm(h_));
    for (const auto* part : {&gradients.input, &gradients.weights_ih, &gradients.weights_hh}) {
      RequireFinite("the primitive's gradient", GlobalNorm(*part));
    }
  }

 private:
  OnednnLayers layers_;
  std::vector<float> x_, d_output_, h_, c_;
};

/// What a row of the table says.
struct Figures {
  double step_tokens = 0.0;       ///< tokens/s of the whole step
  double primitive_tokens = 0.0;  ///< tokens/s of oneDNN's primitive
  double operations = 0.0;        ///< of the step, a second
  double limit = 0.0;             ///< operations a second
  double ratio() const { return step_tokens / primitive_tokens; }
  double share() const { return operations / limit; }
};

void Report(const Settings& s, const Runs& ours, const Runs& theirs, const Figures& figures) {
  const auto print = [&](const char* name, double median) {
    const double tokens = static_cast<double>(s.time_steps * s.lanes);
    fmt::print("{:<20}{:10.2f} ms{:12.0f} tokens/s\n", name, median * 1e3, tokens / median);
  };
  print("training step", MedianOf(ours, &BenchmarkSeconds::all));
  print("forward", MedianOf(ours, &BenchmarkSeconds::forward));
  print("backward", MedianOf(ours, &BenchmarkSeconds::backward));
  print("clip and Adam", MedianOf(ours, &BenchmarkSeconds::update));
  print("primitive", MedianOf(theirs, &BenchmarkSeconds::all));
  print("primitive forward", MedianOf(theirs, &BenchmarkSeconds::forward));
  print("primitive backward", MedianOf(theirs, &BenchmarkSeconds::backward));
  fmt::print("ratio, training step to primitive: {:.3f} of its tokens/s\n", figures.ratio());
  fmt::print("{:.1f} GFLOP/s, {:.1f}% of the {:.1f} that {} threads could do\n",
             figures.operations / 1e9, 100 * figures.share(), figures.limit / 1e9, s.threads);
  std::vector<std::string> engines;
  for (const auto& [engine, count] : ProductEngines()) {
    engines.push_back(fmt::format("{} x {}", engine, count));
  }
  fmt::print("products: {}\n", fmt::join(engines, ", "));
}

std::string Describe(const Settings& s) {
  return fmt::format(
      "{}{}, vocabulary {}, embedding {}, {} layers of {}, T {}, lanes {}, dropout {}; medians of "
      "{} turns",
      FactsOf(s.cell).name, s.bf16 ? " in bf16" : "", s.vocabulary, s.embedding, s.layers, s.hidden,
      s.time_steps, s.lanes, s.dropout, s.turns);
}

void RunHere(const Settings& s) {
  if (s.layers > 1 && s.embedding != s.hidden) {
    throw std::invalid_argument("oneDNN's primitive stacks layers only with embedding = hidden");
  }
  SetThreads(s.threads);
  SetProductPrecision(s.bf16 ? Precision::kBf16 : Precision::kFloat32);
  BenchmarkStep ours(s);
  Primitive theirs(s);
  if (!s.row) {
    fmt::print("CPU {}; {} threads; oneDNN {}; gate kernels {}\n", CpuName(), s.threads,
               GemmDescription(), GateKernelTarget());
    fmt::print("{}; {} parameters\n", Describe(s), ours.parameters());
  }
  Runs steps, primitives;
  Figures figures;
  for (int turn = -1; turn < s.turns; ++turn) {
    trainer::TakeTurn([&] { return ours.Run(); }, [&](auto run) { steps.push_back(run); });
    trainer::TakeTurn([&] { return theirs.Run(); }, [&](auto run) { primitives.push_back(run); });
    if (turn < 0) {
      steps.clear();
      primitives.clear();
    }
    figures.limit = std::max(figures.limit, MultiplyLimit(s.threads, 0.05));
    if (!s.bf16) continue;
    figures.limit = std::max(figures.limit, MultiplyLimit(s.threads, 0.05, Precision::kBf16));
  }
  ours.Check();
  theirs.Check();
  const double tokens = static_cast<double>(s.time_steps * s.lanes);
  figures.step_tokens = tokens / MedianOf(steps, &BenchmarkSeconds::all);
  figures.primitive_tokens = tokens / MedianOf(primitives, &BenchmarkSeconds::all);
  figures.operations = ours.Operations() * figures.step_tokens / tokens;
  if (s.row) {
    fmt::print("{} {} {} {}\n", figures.step_tokens, figures.primitive_tokens, figures.operations,
               figures.limit);
  } else {
    Report(s, steps, primitives, figures);
  }
}

/// This program again, limited to `set`, as a row of numbers.
Figures RunUnder(const std::string& set, int argc, char** argv) {
  std::string arguments = "--row";
  for (int i = 1; i < argc; ++i) {
    const std::string argument = argv[i];
    if (argument == "--isa") {
      ++i;
    } else if (!argument.starts_with("--isa=")) {
      arguments += " '" + argument + "'";
    }
  }
  Figures f;
  if (std::sscanf(trainer::OutputUnder(set, arguments).c_str(), "%lf %lf %lf %lf", &f.step_tokens,
                  &f.primitive_tokens, &f.operations, &f.limit) != 4) {
    throw std::runtime_error("no figures under " + set);
  }
  return f;
}

/// The table, and false where a row is slower than that of a lesser instruction set.
bool RunUnderEach(const Settings& s, int argc, char** argv) {
  // A measurement of minutes on a machine that others use, too, differs by so much.
  constexpr double kNoise = 0.03;
  fmt::print("CPU {}; {} threads; oneDNN {}\n{}\n", CpuName(), s.threads, GemmDescription(),
             Describe(s));
  fmt::print("{:<18}{:>14}{:>14}{:>8}{:>10}{:>10}{:>8}\n", "instruction set", "step, tok/s",
             "primitive", "ratio", "GFLOP/s", "limit", "share");
  bool rising = true;
  double best = 0.0;
  for (const InstructionSet& set : InstructionSets()) {
    if (s.isa != "all" && s.isa != set.setting) continue;
    const Figures f = RunUnder(set.setting, argc, argv);
    const bool slower = f.step_tokens < (1 - kNoise) * best;
    fmt::print("{:<18}{:>14.0f}{:>14.0f}{:>8.3f}{:>10.1f}{:>10.1f}{:>7.1f}%{}\n", set.setting,
               f.step_tokens, f.primitive_tokens, f.ratio(), f.operations / 1e9, f.limit / 1e9,
               100 * f.share(), slower ? "  slower than a lesser one" : "");
    std::fflush(stdout);
    rising = rising && !slower;
    best = std::max(best, f.step_tokens);
  }
  if (best == 0.0) throw std::invalid_argument("this machine has no " + s.isa);
  return rising;
}

}  // namespace
}  // namespace lockstep::worker

int main(int argc, char** argv) {
  CLI::App app(
      "Measures the training step beside oneDNN's own recurrent primitive and the limit of the "
      "processor");
  lockstep::worker::Settings settings;
  lockstep::worker::ParseSettings(app, settings);
  CLI11_PARSE(app, argc, argv);
  if (settings.threads == 0) settings.threads = lockstep::worker::DefaultThreads();
  try {
    if (!settings.isa.empty() && !settings.row) {
      return lockstep::worker::RunUnderEach(settings, argc, argv) ? 0 : 1;
    }
    lockstep::worker::RunHere(settings);
  } catch (const std::exception& error) {
    fmt::print(stderr, "training_step_bench: {}\n", error.what());
    return 1;
  }
  return 0;
}
