// The whole training step of a tagger or classifier (forward, backward, clip, Adam) on batches of
// unequal lengths that are ready in memory, each of them new; medians. The partner of
// pytorch_labeler.py, which runs both in turns.

#include <algorithm>
#include <cstdint>
#include <functional>
#include <map>
#include <string>
#include <vector>

#include <fmt/format.h>

#include "tests/bench/model_steps.h"
#include "worker/models/sequence_labeler.h"
#include "worker/products/gemm.h"

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
  AddStepOptions(app, s.threads, s.turns);
  app.add_flag("--line", s.line, "prints nothing but the median of tokens/s");
}

/// Lengths of all sequences, most of them short; a batch is `items` of them, one behind another.
std::vector<int64_t> LengthsOf(const Settings& s, Numbers& numbers) {
  std::vector<int64_t> lengths;
  for (int64_t i = 0; i < s.items * (s.turns + ModelSteps::kWarmUp); ++i) {
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

void Run(const Settings& s) {
  SequenceLabeler model(OptionsOf(s));
  ModelSteps steps(model);
  Numbers numbers;
  const std::vector<int64_t> lengths = LengthsOf(s, numbers);
  for (int turn = 0; turn < s.turns + ModelSteps::kWarmUp; ++turn) {
    const Batch batch(s, lengths.data() + turn * s.items, numbers);
    steps.Step(static_cast<double>(batch.steps.rows()), [&](const DropoutSite& site) {
      const LabelSum sum = model.Forward(
          {batch.steps, batch.tokens.data(), batch.labels.data(), batch.tags.data()}, site);
      return BatchLoss{sum.loss, sum.weight};
    });
  }
  if (s.line) return fmt::print("{:.0f}\n", steps.rate());
  fmt::print(
      "{} labels, {} tags{}, {} {} x {} in both directions, {} sequences of {} to {} tokens, "
      "dropout {}; {} threads; oneDNN {}; {} parameters\n{}\n{}\n",
      s.labels, s.tags, s.crf ? " (CRF)" : "", s.gru ? "GRU" : "LSTM", s.layers, s.hidden, s.items,
      s.shortest, s.longest, s.dropout, s.threads, GemmDescription(), model.parameters().size(),
      steps.Describe("tokens"), DescribeProducts());
}

}  // namespace
}  // namespace lockstep::worker

int main(int argc, char** argv) {
  lockstep::worker::Settings settings;
  return lockstep::worker::RunBench(
      argc, argv, "labeler_bench", "Measures the training step of a tagger or classifier",
      settings.threads, [&](CLI::App& app) { lockstep::worker::ParseSettings(app, settings); },
      [&] { lockstep::worker::Run(settings); });
}
