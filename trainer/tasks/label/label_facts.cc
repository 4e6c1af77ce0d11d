#include "trainer/tasks/label/label_facts.h"

#include <algorithm>
#include <charconv>
#include <cmath>
#include <stdexcept>

#include <fmt/format.h>
#include <fmt/ranges.h>
#include <nlohmann/json.hpp>

#include "trainer/exit_status.h"
#include "trainer/tasks/model_options.h"

namespace lockstep::trainer {
namespace {

worker::Pooling PoolingOf(proto::Classify::Pooling pooling) {
  switch (pooling) {
    case proto::Classify::LAST:
      return worker::Pooling::kLast;
    case proto::Classify::MEAN:
      return worker::Pooling::kMean;
    case proto::Classify::MAX:
      return worker::Pooling::kMax;
    case proto::Classify::ATTENTION:
      return worker::Pooling::kAttention;
  }
  throw std::logic_error("a pooling of the schema has no implementation");
}

// Each label counts the same over the whole training split, and a text 1 on average.
std::vector<float> BalancedWeights(const io::SequenceDataset& dataset, const std::string& split,
                                   size_t labels) {
  const int field = dataset.Find("label");
  const io::Split& range = dataset.split(split);
  std::vector<double> counts(labels);
  for (uint64_t i = range.begin; i < range.end; ++i) ++counts[dataset.ReadCategory(field, i)];
  const auto present = std::ranges::count_if(counts, [](double n) { return n > 0; });
  std::vector<float> weights;
  for (const double count : counts) {
    const double share = static_cast<double>(range.size()) / static_cast<double>(present);
    weights.push_back(count > 0 ? static_cast<float>(share / count) : 1.0f);
  }
  return weights;
}

std::vector<float> NamedWeights(const std::string& text, const std::vector<std::string>& labels) {
  std::vector<float> weights(labels.size(), 1.0f);
  for (size_t begin = 0; begin <= text.size();) {
    const size_t end = std::min(text.find(',', begin), text.size());
    const std::string part = text.substr(begin, end - begin);
    const size_t equals = part.rfind('=');
    float weight = -1.0f;
    if (equals != std::string::npos) {
      const char* const last = part.data() + part.size();
      const auto [stop, error] = std::from_chars(part.data() + equals + 1, last, weight);
      if (error != std::errc() || stop != last || !std::isfinite(weight)) weight = -1.0f;
    }
    if (weight < 0.0f) {
      throw UsageError(
          fmt::format("task.classify.label_weights has \"{}\"; allowed: \"\", \"balanced\" or "
                      "NAME=WEIGHT,... with weights from 0 up",
                      part));
    }
    const auto label = std::ranges::find(labels, part.substr(0, equals));
    if (label == labels.end()) {
      throw UsageError(
          fmt::format("task.classify.label_weights names \"{}\", which is no label of the dataset. "
                      "It has: {}",
                      part.substr(0, equals), fmt::join(labels, ", ")));
    }
    weights[label - labels.begin()] = weight;
    begin = end + 1;
  }
  return weights;
}

const io::SequenceField& Require(const io::SequenceDataset& dataset, const std::string& field,
                                 const std::string& task, const std::string& import) {
  if (dataset.Find(field) >= 0) return dataset.field(field);
  throw UsageError(fmt::format(
      "{}: is a dataset of {} without {}; task {{ {} {{ }} }} needs one of `lockstep "
      "import {}`.",
      dataset.path().string(), io::SequenceFormName(dataset.form()), import, task, import));
}

}  // namespace

LabelFacts FactsOf(const io::SequenceDataset& dataset, const proto::RunConfig& config) {
  LabelFacts facts;
  if (config.task().has_classify()) {
    facts.labels = Require(dataset, "label", "classify", "labels").names;
    const std::string& weights = config.task().classify().label_weights();
    if (weights == "balanced") {
      facts.label_weights = BalancedWeights(dataset, config.data().split(), facts.labels.size());
    } else if (!weights.empty()) {
      facts.label_weights = NamedWeights(weights, facts.labels);
    }
  } else {
    facts.tags = Require(dataset, "tags", "tag", "tags").names;
    if (config.task().tag().label() && dataset.Find("label") >= 0) {
      facts.labels = dataset.field("label").names;
      const auto weight = static_cast<float>(config.task().tag().label_weight());
      if (weight != 1.0f) facts.label_weights.assign(facts.labels.size(), weight);
    }
  }
  facts.vocabulary = dataset.field("text").vocabulary;
  return facts;
}

void StoreFacts(const LabelFacts& facts, io::CheckpointHeader& header) {
  header.vocabulary = facts.vocabulary;
  nlohmann::ordered_json json = {{"labels", facts.labels}, {"tags", facts.tags}};
  if (!facts.label_weights.empty()) json["label_weights"] = facts.label_weights;
  // Names are what files hold, UTF-8 or not.
  header.facts = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

LabelFacts LoadFacts(const io::CheckpointHeader& header, const std::string& origin) {
  const auto json = nlohmann::ordered_json::parse(header.facts, nullptr, false);
  if (!header.vocabulary || !json.is_object() || !json.contains("labels") ||
      !json.contains("tags")) {
    throw UsageError(fmt::format("{}: does not say what labels and tags its model knows.", origin));
  }
  LabelFacts facts;
  facts.vocabulary = *header.vocabulary;
  facts.labels = json["labels"].get<std::vector<std::string>>();
  facts.tags = json["tags"].get<std::vector<std::string>>();
  if (json.contains("label_weights")) {
    facts.label_weights = json["label_weights"].get<std::vector<float>>();
  }
  return facts;
}

worker::SequenceLabelerOptions LabelerOptions(const proto::RunConfig& config,
                                              const LabelFacts& facts) {
  const proto::Classify& classify = config.task().classify();
  const proto::Tag& tag = config.task().tag();
  const bool tags = config.task().has_tag();
  worker::SequenceLabelerOptions options;
  options.vocabulary_size = static_cast<int64_t>(facts.vocabulary.size());
  options.embedding_size = config.model().embedding_size();
  options.stack = StackOptionsOf(config.model());
  options.embedding_dropout = config.model().embedding_dropout();
  options.labels = std::ssize(facts.labels);
  options.tags = std::ssize(facts.tags);
  options.pooling = PoolingOf(tags ? tag.pooling() : classify.pooling());
  options.label_weights = facts.label_weights;
  options.label_smoothing = tags ? tag.label_smoothing() : classify.label_smoothing();
  options.crf = tags && tag.crf();
  return options;
}

}  // namespace lockstep::trainer
