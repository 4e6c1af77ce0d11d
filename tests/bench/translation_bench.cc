// The whole training step of an encoder and decoder (forward, backward, clip, Adam) on batches of
// pairs of unequal lengths that are ready in memory, each of them new; medians. The partner of
// pytorch_translation.py, which runs both in turns.

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <numeric>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "tests/bench/model_steps.h"
#include "worker/models/encoder_decoder.h"
#include "worker/products/gemm.h"

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
  AddStepOptions(app, s.threads, s.turns);
  app.add_flag("--line", s.line, "prints nothing but the median of target tokens/s");
}

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

void Run(const Settings& s) {
  EncoderDecoder model(OptionsOf(s));
  ModelSteps steps(model);
  Numbers numbers;
  for (int turn = 0; turn < s.turns + ModelSteps::kWarmUp; ++turn) {
    const Batch batch(s, numbers);
    steps.Step(static_cast<double>(batch.pairs.target.rows()), [&](const DropoutSite& site) {
      const PairSum sum = model.Forward(batch.pairs, site);
      return BatchLoss{sum.loss, sum.weight};
    });
  }
  if (s.line) return fmt::print("{:.0f}\n", steps.rate());
  fmt::print(
      "{}, {} {} x {}{}, embedding {}, vocabulary {}, {} pairs of {} to {} tokens, dropout {}; {} "
      "threads; oneDNN {}; {} parameters\n{}\n{}\n",
      NameOf(s), s.gru ? "GRU" : "LSTM", s.layers, s.hidden,
      s.one_direction ? "" : ", encoder in both directions", s.embedding, s.vocabulary, s.items,
      s.shortest, s.longest, s.dropout, s.threads, GemmDescription(), model.parameters().size(),
      steps.Describe("target tokens"), DescribeProducts());
}

}  // namespace
}  // namespace lockstep::worker

int main(int argc, char** argv) {
  lockstep::worker::Settings settings;
  return lockstep::worker::RunBench(
      argc, argv, "translation_bench", "Measures the training step of an encoder and decoder",
      settings.threads, [&](CLI::App& app) { lockstep::worker::ParseSettings(app, settings); },
      [&] { lockstep::worker::Run(settings); });
}
