#include "trainer/tasks/label/label_predictor.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <numeric>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "io/errors.h"
#include "trainer/data/packed_sequences.h"
#include "trainer/exit_status.h"
#include "trainer/run/checkpoint_contents.h"

namespace lockstep::trainer {
namespace {

// Six digits are what a float has to say.
double Rounded(float probability) { return std::round(1e6 * probability) / 1e6; }

PredictionOptions Checked(const PredictionOptions& options, const LabelFacts& facts) {
  const char* wrong = options.beam                               ? "--beam"
                      : options.temperature                      ? "--temperature"
                      : options.copy_unknown                     ? "--copy-unknown"
                      : options.nbest > 1 && !facts.tags.empty() ? "--nbest"
                                                                 : nullptr;
  if (wrong) {
    throw UsageError(fmt::format("{} is for models that write texts; this one gives {}.", wrong,
                                 facts.tags.empty() ? "labels" : "tags"));
  }
  return options;
}

}  // namespace

LabelPredictor::LabelPredictor(const io::CheckpointReader& checkpoint,
                               const proto::RunConfig& config, const PredictionOptions& options)
    : options_(options),
      facts_(LoadFacts(checkpoint.header(), checkpoint.path().string())),
      model_(std::make_unique<worker::SequenceLabeler>(LabelerOptions(config, facts_),
                                                       worker::Pass::kForward)) {
  Checked(options, facts_);
  LoadParameters(checkpoint, model_->parameters());
}

std::vector<int64_t> LabelPredictor::BestLabels(const std::vector<float>& probabilities) const {
  std::vector<int64_t> order(probabilities.size());
  std::iota(order.begin(), order.end(), int64_t{0});
  std::ranges::stable_sort(order, std::greater<>(), [&](int64_t i) { return probabilities[i]; });
  order.resize(std::min<size_t>(order.size(), options_.nbest));
  return order;
}

std::string LabelPredictor::Text(const InputLine& line, const Found& found) const {
  std::vector<std::string> parts;
  for (const int64_t label : BestLabels(found.probabilities)) {
    parts.push_back(fmt::format("{}\t{:.6f}", facts_.labels[label], found.probabilities[label]));
    if (options_.nbest > 1) parts.back() = fmt::format("{}\t", line.number) + parts.back();
  }
  if (options_.nbest > 1) return fmt::format("{}", fmt::join(parts, "\n"));
  if (!facts_.tags.empty()) {
    std::vector<std::string> tags;
    for (const int32_t tag : found.tags) tags.push_back(facts_.tags[tag]);
    parts.push_back(fmt::format("{}", fmt::join(tags, " ")));
  }
  return fmt::format("{}", fmt::join(parts, "\t"));
}

std::string LabelPredictor::Json(const Found& found) const {
  nlohmann::ordered_json json = nlohmann::ordered_json::object();
  if (!found.probabilities.empty()) {
    const std::vector<int64_t> best = BestLabels(found.probabilities);
    json["label"] = facts_.labels[best.front()];
    json["probability"] = Rounded(found.probabilities[best.front()]);
    if (options_.nbest > 1) {
      auto& labels = json["labels"] = nlohmann::ordered_json::array();
      for (const int64_t label : best) {
        labels.push_back({{"label", facts_.labels[label]},
                          {"probability", Rounded(found.probabilities[label])}});
      }
    }
  }
  if (!found.tags.empty()) {
    // A key that is added to an ordered object moves the values of the others.
    auto tokens = nlohmann::ordered_json::array(), tags = tokens, probabilities = tokens;
    for (size_t i = 0; i < found.tags.size(); ++i) {
      tokens.push_back(facts_.vocabulary.tokens()[found.tokens[i]]);
      tags.push_back(facts_.tags[found.tags[i]]);
      probabilities.push_back(Rounded(found.tag_probabilities[i]));
    }
    json["tokens"] = std::move(tokens);
    json["tags"] = std::move(tags);
    json["probabilities"] = std::move(probabilities);
  }
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::vector<std::string> LabelPredictor::Answer(std::span<const InputLine> lines) {
  Sequences texts;
  std::vector<uint32_t> lengths;
  for (const InputLine& line : lines) {
    texts.push_back(EncodeLine(facts_.vocabulary, line));
    lengths.push_back(static_cast<uint32_t>(texts.back().size()));
  }
  std::vector<int64_t> order = LongestFirst(lengths);
  std::erase_if(order, [&](int64_t i) { return texts[i].empty(); });
  std::vector<Found> found(lines.size());
  if (!order.empty()) {
    Sequences sorted;
    for (const int64_t i : order) sorted.push_back(texts[i]);
    const worker::PackedSteps steps = StepsOf(sorted);
    const std::vector<int32_t> tokens = Pack(steps, sorted);
    worker::LabelOutput output;
    model_->Evaluate({steps, tokens.data(), nullptr, nullptr}, &output);
    const size_t labels = facts_.labels.size();
    for (size_t item = 0; item < order.size(); ++item) {
      Found& one = found[order[item]];
      const auto begin = output.label_probabilities.begin() + static_cast<int64_t>(item * labels);
      one.probabilities.assign(begin, begin + static_cast<int64_t>(labels));
      one.tokens = sorted[item];
      if (facts_.tags.empty()) continue;
      const auto row = static_cast<int64_t>(item);
      one.tags = Unpack<int32_t>(steps, row, output.tags);
      one.tag_probabilities = Unpack<float>(steps, row, output.tag_probabilities);
    }
  }
  std::vector<std::string> answers;
  for (size_t i = 0; i < lines.size(); ++i) {
    if (options_.json) {
      answers.push_back(Json(found[i]));
    } else {
      answers.push_back(texts[i].empty() ? "" : Text(lines[i], found[i]));
    }
  }
  return answers;
}

}  // namespace lockstep::trainer
