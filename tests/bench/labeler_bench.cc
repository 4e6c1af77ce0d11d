// The whole training step of a tagger or classifier (forward, backward, clip, Adam) on batches of
// unequal lengths that are ready in memory, each of them new; medians. The partner of
// pytorch_labeler.py, which runs both in turns.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <stdexcept>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "worker/models/initialization.h"
#include "worker/models/sequence_labeler.h"
#include "worker/optimizers/clip.h"
#include "worker/optimizers/optimizer.h"
#include "worker/products/gemm.h"
#include "worker/threads.h"

namespace lockstep::worker {
namespace {

struct Settings {
  int64_t vocabulary = 900, embedding = 200, hidden = 200, labels = 0, tags = 0, items = 64;
  int64_t shortest = 4, longest = 40;
  int layers = 1, threads = 0, turns = 31;
  double dropout = 0.3;
  Pooling pooling = Pooling::kLast;
  bool crf = false, gru = false, by_length = false, line = false;
};

void ParseSettings(CLI::App& app, Settings& s) {
  const std::map<std::string, Pooling> poolings = {{"last", Pooling::kLast},
                                                   {"mean", Pooling::kMean},
                                                   {"max", Pooling::kMax},
                                                   {"attention", Pooling::kAttention}};
  app.add_option("--labels", s.labels, "classes of a sequence; 0: none")->capture_default_str();
  app.add_option("--tags", s.tags, "classes of a token; 0: none")->capture_default_str();
  app.add_flag("--crf", s.crf, "tags by a CRF instead of a softmax");
  app.add_option("--pooling", s.pooling, "last, mean, max or attention; default: last")
      ->transform(CLI::CheckedTransformer(poolings));
  app.add_flag("--gru", s.gru, "GRU instead of LSTM");
  app.add_option("--vocabulary", s.vocabulary)->capture_default_str();
  app.add_option("--embedding", s.embedding)->capture_default_str();
  app.add_option("--hidden", s.hidden, "of each of both directions")->capture_default_str();
  app.add_option("--layers", s.layers)->capture_default_str();
  app.add_option("--dropout", s.dropout)->capture_default_str();
  app.add_option("--items", s.items, "sequences of a batch")->capture_default_str();
  app.add_option("--shortest", s.shortest)->capture_default_str();
  app.add_option("--longest", s.longest)->capture_default_str();
  app.add_flag("--by-length", s.by_length, "sequences of like lengths share a batch");
  app.add_option("--threads", s.threads, "0: OMP_NUM_THREADS, or every core")
      ->capture_default_str();
  app.add_option("--turns", s.turns, "measured, after two that are not")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_flag("--line", s.line, "prints nothing but the median of tokens/s");
}

/// The same numbers in pytorch_labeler.py: Knuth's MMIX generator, its high bits.
class Numbers {
 public:
  int64_t Below(int64_t bound) { return static_cast<int64_t>(Next() % bound); }
  double Fraction() { return static_cast<double>(Next()) / 2147483648.0; }

 private:
  uint64_t Next() {
    state_ = state_ * 6364136223846793005u + 1442695040888963407u;
    return state_ >> 33;
  }
  uint64_t state_ = 1;
};

/// Lengths of all sequences, most of them short; a batch is `items` of them, one behind another.
std::vector<int64_t> LengthsOf(const Settings& s, Numbers& numbers) {
  std::vector<int64_t> lengths;
  for (int64_t i = 0; i < s.items * (s.turns + 2); ++i) {
    const double x = numbers.Fraction();
    lengths.push_back(
        s.shortest + static_cast<int64_t>(static_cast<double>(s.longest - s.shortest + 1) * x * x));
  }
  if (s.by_length) std::ranges::sort(lengths);
  for (auto first = lengths.begin(); first != lengths.end(); first += s.items) {
    std::sort(first, first + s.items, std::greater<>());
  }
  return lengths;
}

struct Batch {
  Batch(const Settings& s, const int64_t* lengths, Numbers& numbers)
      : steps(PackedSteps::OfLengths({lengths, static_cast<size_t>(s.items)})) {
    for (int64_t row = 0; row < steps.rows(); ++row) {
      tokens.push_back(static_cast<int32_t>(numbers.Below(s.vocabulary)));
      if (s.tags > 0) tags.push_back(static_cast<int32_t>(numbers.Below(s.tags)));
    }
    for (int64_t item = 0; item < s.items && s.labels > 0; ++item) {
      labels.push_back(static_cast<int32_t>(numbers.Below(s.labels)));
    }
  }
  PackedSteps steps;
  std::vector<int32_t> tokens, labels, tags;
};

SequenceLabelerOptions OptionsOf(const Settings& s) {
  SequenceLabelerOptions options;
  options.vocabulary_size = s.vocabulary;
  options.embedding_size = s.embedding;
  options.stack.cell = s.gru ? Cell::kGru : Cell::kLstm;
  options.stack.hidden_size = s.hidden;
  options.stack.layers = s.layers;
  options.stack.dropout = s.dropout;
  options.stack.bidirectional = true;
  options.labels = s.labels;
  options.tags = s.tags;
  options.pooling = s.pooling;
  options.crf = s.crf;
  return options;
}

double Median(std::vector<double> values) {
  std::ranges::sort(values);
  const size_t middle = values.size() / 2;
  return values.size() % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

void Run(const Settings& s) {
  SetThreads(s.threads);
  SequenceLabeler model(OptionsOf(s));
  Initialize(model.parameters(), {});
  Optimizer optimizer(AdamOptions{}, model.parameters().size());
  Numbers numbers;
  const std::vector<int64_t> lengths = LengthsOf(s, numbers);
  using Clock = std::chrono::steady_clock;
  std::vector<double> rates, seconds[4];  // tokens/s; forward, backward, update, all
  double loss = 0.0, rows = 0.0;
  for (int turn = -2; turn < s.turns; ++turn) {
    const Batch batch(s, lengths.data() + (turn + 2) * s.items, numbers);
    const auto gradient = model.parameters().gradient();
    const auto start = Clock::now();
    const LabelSum sum =
        model.Forward({batch.steps, batch.tokens.data(), batch.labels.data(), batch.tags.data()},
                      {.seed = 1, .batch = static_cast<uint64_t>(turn + 2)});
    const auto forward = Clock::now();
    std::ranges::fill(gradient, 0.0f);
    model.Backward();
    const auto backward = Clock::now();
    Scale(gradient, 1.0 / sum.weight);
    ClipByGlobalNorm(gradient, GlobalNorm(gradient), 1.0);
    optimizer.Step(model.parameters().values(), gradient, 1e-3);
    const auto end = Clock::now();
    loss = sum.loss / sum.weight;
    if (turn < 0) continue;
    const std::chrono::duration<double> parts[] = {forward - start, backward - forward,
                                                   end - backward, end - start};
    for (int i = 0; i < 4; ++i) seconds[i].push_back(parts[i].count());
    rates.push_back(static_cast<double>(batch.steps.rows()) / parts[3].count());
    rows += static_cast<double>(batch.steps.rows());
  }
  if (!std::isfinite(loss)) throw std::runtime_error(fmt::format("the loss is {}", loss));
  if (s.line) return fmt::print("{:.0f}\n", Median(rates));
  fmt::print(
      "{} labels, {} tags{}, {} {} x {} in both directions, {} sequences of {} to {} tokens, "
      "dropout {}; {} threads; oneDNN {}; {} parameters\n",
      s.labels, s.tags, s.crf ? " (CRF)" : "", s.gru ? "GRU" : "LSTM", s.layers, s.hidden, s.items,
      s.shortest, s.longest, s.dropout, s.threads, GemmDescription(), model.parameters().size());
  fmt::print(
      "median of {} steps of {:.0f} tokens {:.2f} ms (forward {:.2f}, backward {:.2f}, update "
      "{:.2f}), {:.0f} tokens/s\n",
      s.turns, rows / s.turns, Median(seconds[3]) * 1e3, Median(seconds[0]) * 1e3,
      Median(seconds[1]) * 1e3, Median(seconds[2]) * 1e3, Median(rates));
  std::vector<std::string> engines;
  for (const auto& [engine, count] : ProductEngines()) {
    engines.push_back(fmt::format("{} x {}", engine, count));
  }
  fmt::print("products: {}\n", fmt::join(engines, ", "));
}

}  // namespace
}  // namespace lockstep::worker

int main(int argc, char** argv) {
  CLI::App app("Measures the training step of a tagger or classifier");
  lockstep::worker::Settings settings;
  lockstep::worker::ParseSettings(app, settings);
  CLI11_PARSE(app, argc, argv);
  if (settings.threads == 0) settings.threads = lockstep::worker::DefaultThreads();
  try {
    lockstep::worker::Run(settings);
  } catch (const std::exception& error) {
    fmt::print(stderr, "labeler_bench: {}\n", error.what());
    return 1;
  }
  return 0;
}
