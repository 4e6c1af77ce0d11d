// The whole training step of an encoder and decoder (forward, backward, clip, Adam) on batches of
// pairs of unequal lengths that are ready in memory, each of them new; medians. The partner of
// pytorch_translation.py, which runs both in turns.

#include <algorithm>
#include <chrono>
#include <cmath>
#include <cstdint>
#include <cstdio>
#include <functional>
#include <map>
#include <numeric>
#include <stdexcept>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>
#include <fmt/format.h>
#include <fmt/ranges.h>

#include "worker/models/encoder_decoder.h"
#include "worker/models/initialization.h"
#include "worker/optimizers/clip.h"
#include "worker/optimizers/optimizer.h"
#include "worker/products/gemm.h"
#include "worker/threads.h"

namespace lockstep::worker {
namespace {

struct Settings {
  int64_t vocabulary = 8000, embedding = 256, hidden = 256, items = 64, shortest = 4, longest = 40;
  int layers = 1, threads = 0, turns = 21;
  double dropout = 0.2;
  Conditioning conditioning = Conditioning::kBahdanau;
  bool feeding = false, gru = false, one_direction = false, line = false;
};

void ParseSettings(CLI::App& app, Settings& s) {
  const std::map<std::string, Conditioning> conditionings = {{"state", Conditioning::kState},
                                                             {"context", Conditioning::kContext},
                                                             {"bahdanau", Conditioning::kBahdanau},
                                                             {"luong", Conditioning::kLuong}};
  app.add_option("--conditioning", s.conditioning,
                 "state, context, bahdanau or luong; default: bahdanau")
      ->transform(CLI::CheckedTransformer(conditionings));
  app.add_flag("--feeding", s.feeding, "luong with input feeding");
  app.add_flag("--gru", s.gru, "GRU instead of LSTM");
  app.add_flag("--one-direction", s.one_direction, "of the encoder, instead of both");
  app.add_option("--vocabulary", s.vocabulary, "of sources and of targets")->capture_default_str();
  app.add_option("--embedding", s.embedding)->capture_default_str();
  app.add_option("--hidden", s.hidden, "of the decoder and of each direction")
      ->capture_default_str();
  app.add_option("--layers", s.layers)->capture_default_str();
  app.add_option("--dropout", s.dropout)->capture_default_str();
  app.add_option("--items", s.items, "pairs of a batch")->capture_default_str();
  app.add_option("--shortest", s.shortest)->capture_default_str();
  app.add_option("--longest", s.longest)->capture_default_str();
  app.add_option("--threads", s.threads, "0: OMP_NUM_THREADS, or every core")
      ->capture_default_str();
  app.add_option("--turns", s.turns, "measured, after two that are not")
      ->capture_default_str()
      ->check(CLI::PositiveNumber);
  app.add_flag("--line", s.line, "prints nothing but the median of target tokens/s");
}

/// The same numbers in pytorch_translation.py: Knuth's MMIX generator, its high bits.
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

/// Lengths of a batch's pairs, most of them short: of sources, and of targets with their ends,
/// which are up to a quarter longer or shorter.
struct Lengths {
  Lengths(const Settings& s, Numbers& numbers) {
    for (int64_t i = 0; i < s.items; ++i) {
      const double x = numbers.Fraction(), y = numbers.Fraction();
      const auto span = static_cast<double>(s.longest - s.shortest + 1);
      source.push_back(s.shortest + static_cast<int64_t>(span * x * x));
      target.push_back(1 +
                       static_cast<int64_t>(static_cast<double>(source.back()) * (0.75 + 0.5 * y)));
    }
  }
  std::vector<int64_t> source, target;
};

// The places of values [B] from the largest down, and the values in that order.
std::vector<int64_t> SortDown(std::vector<int64_t>& values) {
  std::vector<int64_t> places(values.size());
  std::iota(places.begin(), places.end(), 0);
  std::ranges::stable_sort(places, std::greater<>(), [&](int64_t i) { return values[i]; });
  std::ranges::stable_sort(values, std::greater<>());
  return places;
}

struct Batch {
  Batch(const Settings& s, Numbers& numbers) {
    Lengths lengths(s, numbers);
    const auto sources = SortDown(lengths.source), targets_order = SortDown(lengths.target);
    std::vector<int64_t> place_of(s.items);
    for (int64_t i = 0; i < s.items; ++i) place_of[sources[i]] = i;
    for (const int64_t pair : targets_order) source_of.push_back(place_of[pair]);
    pairs.source = PackedSteps::OfLengths(lengths.source);
    pairs.target = PackedSteps::OfLengths(lengths.target);
    const auto draw = [&](int64_t rows, std::vector<int32_t>& tokens) {
      for (int64_t row = 0; row < rows; ++row) {
        tokens.push_back(static_cast<int32_t>(numbers.Below(s.vocabulary)));
      }
      return tokens.data();
    };
    pairs.source_tokens = draw(pairs.source.rows(), source_tokens);
    pairs.inputs = draw(pairs.target.rows(), inputs);
    pairs.targets = draw(pairs.target.rows(), targets);
    pairs.source_of = source_of.data();
  }
  PairBatch pairs;
  std::vector<int64_t> source_of;
  std::vector<int32_t> source_tokens, inputs, targets;
};

EncoderDecoderOptions OptionsOf(const Settings& s) {
  EncoderDecoderOptions options;
  options.source_vocabulary_size = options.target_vocabulary_size = s.vocabulary;
  options.embedding_size = s.embedding;
  options.stack.cell = s.gru ? Cell::kGru : Cell::kLstm;
  options.stack.hidden_size = s.hidden;
  options.stack.layers = s.layers;
  options.stack.dropout = s.dropout;
  options.stack.bidirectional = !s.one_direction;
  options.conditioning = s.conditioning;
  options.input_feeding = s.feeding;
  return options;
}

std::string NameOf(const Settings& s) {
  switch (s.conditioning) {
    case Conditioning::kState:
      return "state";
    case Conditioning::kContext:
      return "context";
    case Conditioning::kBahdanau:
      return "Bahdanau";
    case Conditioning::kLuong:
      return s.feeding ? "Luong with input feeding" : "Luong";
  }
  return "";
}

double Median(std::vector<double> values) {
  std::ranges::sort(values);
  const size_t middle = values.size() / 2;
  return values.size() % 2 ? values[middle] : (values[middle - 1] + values[middle]) / 2;
}

void Run(const Settings& s) {
  SetThreads(s.threads);
  EncoderDecoder model(OptionsOf(s));
  Initialize(model.parameters(), {});
  Optimizer optimizer(AdamOptions{}, model.parameters().size());
  Numbers numbers;
  using Clock = std::chrono::steady_clock;
  std::vector<double> rates, seconds[4];  // tokens/s; forward, backward, update, all
  double loss = 0.0, rows = 0.0;
  for (int turn = -2; turn < s.turns; ++turn) {
    const Batch batch(s, numbers);
    const auto gradient = model.parameters().gradient();
    const auto start = Clock::now();
    const PairSum sum =
        model.Forward(batch.pairs, {.seed = 1, .batch = static_cast<uint64_t>(turn + 2)});
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
    rates.push_back(static_cast<double>(batch.pairs.target.rows()) / parts[3].count());
    rows += static_cast<double>(batch.pairs.target.rows());
  }
  if (!std::isfinite(loss)) throw std::runtime_error(fmt::format("the loss is {}", loss));
  if (s.line) return fmt::print("{:.0f}\n", Median(rates));
  fmt::print(
      "{}, {} {} x {}{}, embedding {}, vocabulary {}, {} pairs of {} to {} tokens, dropout {}; {} "
      "threads; oneDNN {}; {} parameters\n",
      NameOf(s), s.gru ? "GRU" : "LSTM", s.layers, s.hidden,
      s.one_direction ? "" : ", encoder in both directions", s.embedding, s.vocabulary, s.items,
      s.shortest, s.longest, s.dropout, s.threads, GemmDescription(), model.parameters().size());
  fmt::print(
      "median of {} steps of {:.0f} target tokens {:.2f} ms (forward {:.2f}, backward {:.2f}, "
      "update "
      "{:.2f}), {:.0f} target tokens/s\n",
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
  CLI::App app("Measures the training step of an encoder and decoder");
  lockstep::worker::Settings settings;
  lockstep::worker::ParseSettings(app, settings);
  CLI11_PARSE(app, argc, argv);
  if (settings.threads == 0) settings.threads = lockstep::worker::DefaultThreads();
  try {
    lockstep::worker::Run(settings);
  } catch (const std::exception& error) {
    fmt::print(stderr, "translation_bench: {}\n", error.what());
    return 1;
  }
  return 0;
}
