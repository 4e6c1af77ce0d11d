#include <algorithm>
#include <array>
#include <memory>
#include <set>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "trainer/commands/benchmark_step.h"
#include "trainer/commands/commands.h"
#include "trainer/ranks/rank_threads.h"
#include "trainer/terminal/output.h"
#include "worker/products/bfloat16.h"
#include "worker/products/gemm.h"
#include "worker/products/instruction_set.h"
#include "worker/products/multiply_limit.h"
#include "worker/threads.h"

namespace lockstep::trainer {
namespace {

using Json = nlohmann::ordered_json;
using worker::Precision;

// Of each turn, what the limits are tried for, and a product.
constexpr double kLimitSeconds = 0.03, kProductSeconds = 0.05, kCopySeconds = 0.3;

const char* NameOf(Precision precision) {
  return precision == Precision::kBf16 ? "BF16" : "FLOAT32";
}

/// The instruction set, as ONEDNN_MAX_CPU_ISA and --isa name it.
std::string SettingNow() {
  const std::vector<worker::InstructionSet> sets = worker::InstructionSets();
  return sets.empty() ? "none" : sets.back().setting;
}

/// What is measured beside others in turns.
struct Side {
  Side(const BenchmarkShape& shape_in, Precision precision_in)
      : shape(shape_in), precision(precision_in), step(shape), layers(shape), product(shape) {}

  void Run() {
    const worker::PrecisionScope scope(precision);
    TakeTurn([&] { return step.Run(); }, [&](auto taken) { step_seconds.push_back(taken.all()); });
    TakeTurn([&] { return layers.Run(); },
             [&](auto taken) { layer_seconds.push_back(taken.all()); });
    product_rates.push_back(product.Run(kProductSeconds));
  }

  /// One that is not counted.
  void WarmUp() {
    worker::ObserveProducts(
        [this](const worker::ProductShape&, const std::string& engine) { engines.insert(engine); });
    Run();
    worker::ObserveProducts({});
    step_seconds.clear();
    layer_seconds.clear();
    product_rates.clear();
  }

  BenchmarkShape shape;
  Precision precision;
  BenchmarkStep step;
  BenchmarkLayers layers;
  BenchmarkProduct product;
  std::vector<double> step_seconds, layer_seconds, product_rates;
  std::set<std::string> engines;  ///< what multiplies, of what it was the first to need
};

/// Half of the values are between these.
std::array<double, 2> Quartiles(std::vector<double> values) {
  std::ranges::sort(values);
  return {values[values.size() / 4], values[values.size() - 1 - values.size() / 4]};
}

/// Operations a second.
struct Limits {
  double float32 = 0.0, bf16 = 0.0;
  /// Bf16 may be made of float32's instructions, too. What AMX could do is not known: no number.
  Json of(Precision precision) const {
    if (precision == Precision::kFloat32) return float32;
    return SettingNow() == "AVX512_CORE_AMX" ? Json() : Json(std::max(float32, bf16));
  }
};

Json RowOf(const Side& side, const Limits& limits) {
  const auto tokens = static_cast<double>(side.shape.tokens());
  const double step = Median(side.step_seconds), rate = side.step.Operations() / step;
  const auto [fast, slow] = Quartiles(side.step_seconds);
  return {{"instruction_set", SettingNow()},
          {"cell", worker::FactsOf(side.shape.cell).name},
          {"hidden_size", side.shape.hidden},
          {"precision", NameOf(side.precision)},
          {"rounded_float32",
           side.precision == Precision::kBf16 && !worker::UsesBfloat16Instructions()},
          {"products", fmt::format("{}", fmt::join(side.engines, ", "))},
          {"product_operations_per_second", Median(side.product_rates)},
          {"layers_tokens_per_second", tokens / Median(side.layer_seconds)},
          {"step_tokens_per_second", tokens / step},
          {"step_tokens_per_second_quartiles", {tokens / slow, tokens / fast}},
          {"step_operations_per_second", rate},
          {"limit_operations_per_second", limits.of(side.precision)}};
}

/// Sides of one hidden size, one turn after another, so that what else the machine does meets all.
void Measure(const BenchArguments& arguments, int threads, int64_t hidden, Console& console,
             Json& rows) {
  std::vector<std::unique_ptr<Side>> sides;
  for (const worker::Cell cell : arguments.cells) {
    BenchmarkShape shape;
    shape.cell = cell;
    shape.hidden = shape.embedding = hidden;
    shape.layers = arguments.layers;
    shape.lanes = arguments.lanes;
    shape.time_steps = arguments.time_steps;
    shape.vocabulary = arguments.vocabulary;
    for (const Precision precision : arguments.precisions) {
      sides.push_back(std::make_unique<Side>(shape, precision));
    }
  }
  Limits limits;
  for (int turn = -1; turn < arguments.turns; ++turn) {
    console.Live(fmt::format("{}: {} layers of {}, turn {} of {}", SettingNow(), arguments.layers,
                             hidden, turn + 1, arguments.turns));
    for (const auto& side : sides) {
      turn < 0 ? side->WarmUp() : side->Run();
    }
    limits.float32 = std::max(limits.float32, worker::MultiplyLimit(threads, kLimitSeconds));
    limits.bf16 =
        std::max(limits.bf16, worker::MultiplyLimit(threads, kLimitSeconds, Precision::kBf16));
  }
  for (const auto& side : sides) {
    try {
      side->step.Check();
    } catch (const std::runtime_error& error) {
      throw std::runtime_error(fmt::format("{} of {} in {}: {}",
                                           worker::FactsOf(side->shape.cell).name, hidden,
                                           NameOf(side->precision), error.what()));
    }
    rows.push_back(RowOf(*side, limits));
  }
}

Json MeasureHere(const BenchArguments& arguments_in, Console& console) {
  BenchArguments arguments = arguments_in;
  if (arguments.precisions.empty()) {
    arguments.precisions = {Precision::kFloat32};
    if (worker::HasBfloat16Instructions()) arguments.precisions.push_back(Precision::kBf16);
  }
  const int threads = arguments.threads > 0 ? arguments.threads : ThreadsAlone();
  worker::SetThreads(threads);
  console.Info(fmt::format(
      "{}, {} thread(s), oneDNN {}: {} layers, {} lanes of {} time steps, vocabulary {}; medians "
      "of {} turns",
      CpuName(), threads, worker::GemmDescription(), arguments.layers, arguments.lanes,
      arguments.time_steps, arguments.vocabulary, arguments.turns));
  Json rows = Json::array();
  for (const int64_t hidden : arguments.hidden) Measure(arguments, threads, hidden, console, rows);
  console.EndLive();
  return {{"processor", CpuName()},
          {"threads", threads},
          {"layers", arguments.layers},
          {"lanes", arguments.lanes},
          {"time_steps", arguments.time_steps},
          {"vocabulary", arguments.vocabulary},
          {"turns", arguments.turns},
          {"copy_bytes_per_second", worker::CopyLimit(threads, kCopySeconds)},
          {"rows", rows}};
}

/// This program again, limited to an instruction set: what it gives as JSON.
Json MeasureUnder(const std::string& set, const BenchArguments& arguments) {
  std::vector<std::string> cells, precisions;
  for (const worker::Cell cell : arguments.cells) cells.emplace_back(worker::FactsOf(cell).name);
  for (const Precision precision : arguments.precisions) precisions.emplace_back(NameOf(precision));
  const std::string command = fmt::format(
      "bench --json --cells {} --hidden {} {} --layers {} --lanes {} --time-steps {} "
      "--vocabulary {} --threads {} --turns {} --progress {}",
      fmt::join(cells, ","), fmt::join(arguments.hidden, ","),
      precisions.empty() ? "" : fmt::format("--precisions {}", fmt::join(precisions, ",")),
      arguments.layers, arguments.lanes, arguments.time_steps, arguments.vocabulary,
      arguments.threads, arguments.turns,
      arguments.progress == Console::Mode::kAuto   ? "auto"
      : arguments.progress == Console::Mode::kLive ? "live"
                                                   : "plain");
  return Json::parse(OutputUnder(set, command));
}

std::vector<std::string> SetsOf(const std::string& isa) {
  std::vector<std::string> all, chosen;
  for (const worker::InstructionSet& set : worker::InstructionSets()) {
    all.push_back(set.setting);
    if (isa == "all" || isa == set.setting) chosen.push_back(set.setting);
  }
  if (chosen.empty()) {
    throw UsageError(
        fmt::format("--isa {}: this processor has {}, or say all.", isa, fmt::join(all, ", ")));
  }
  return chosen;
}

void WriteTable(const Json& result) {
  constexpr double kGiga = 1e9;
  WriteResult(fmt::format("{:<18}{:<18}{:>7}{:>11}{:>9}{:>9}{:>9}{:>8}{:>9}{:>8}\n", "", "", "", "",
                          "product", "layers", "step", "", "limit", ""));
  WriteResult(fmt::format("{:<18}{:<18}{:>7}{:>11}{:>9}{:>9}{:>9}{:>8}{:>9}{:>8}\n",
                          "instruction set", "cell", "hidden", "precision", "GFLOP/s", "tokens/s",
                          "tokens/s", "+-", "GFLOP/s", "of it"));
  for (const Json& row : result.at("rows")) {
    const double rate = row.at("step_operations_per_second");
    const Json& limit = row.at("limit_operations_per_second");
    const double step = row.at("step_tokens_per_second");
    const auto& quartiles = row.at("step_tokens_per_second_quartiles");
    const double spread = (quartiles[1].get<double>() - quartiles[0].get<double>()) / 2;
    WriteResult(fmt::format(
        "{:<18}{:<18}{:>7}{:>11}{:>9.0f}{:>9.0f}{:>9.0f}{:>7.1f}%{:>9}{:>8}{}\n",
        row.at("instruction_set").get<std::string>(), row.at("cell").get<std::string>(),
        row.at("hidden_size").get<int64_t>(), row.at("precision").get<std::string>(),
        row.at("product_operations_per_second").get<double>() / kGiga,
        row.at("layers_tokens_per_second").get<double>(), step, 100.0 * spread / step,
        limit.is_null() ? "?" : fmt::format("{:.0f}", limit.get<double>() / kGiga),
        limit.is_null() ? "" : fmt::format("{:.1f}%", 100.0 * rate / limit.get<double>()),
        row.at("rounded_float32").get<bool>() ? "  rounded float32" : ""));
  }
  WriteResult(fmt::format("Copies between arrays: {:.1f} GB/s read and written.\n",
                          result.at("copy_bytes_per_second").get<double>() / kGiga));
}

}  // namespace

ExitStatus Bench(const BenchArguments& arguments) {
  Json result;
  if (!arguments.isa.empty()) {
    for (const std::string& set : SetsOf(arguments.isa)) {
      Json under = MeasureUnder(set, arguments);
      if (!result.is_null()) {
        auto& rows = under.at("rows");
        rows.insert(rows.begin(), result.at("rows").begin(), result.at("rows").end());
      }
      result = std::move(under);
    }
  } else {
    Console console(false, arguments.progress);
    result = MeasureHere(arguments, console);
  }
  if (arguments.json) {
    WriteJson(result);
  } else {
    WriteTable(result);
  }
  return kDone;
}

}  // namespace lockstep::trainer
