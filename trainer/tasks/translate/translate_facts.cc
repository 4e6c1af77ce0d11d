#include "trainer/tasks/translate/translate_facts.h"

#include <stdexcept>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "trainer/exit_status.h"
#include "trainer/tasks/model_options.h"

namespace lockstep::trainer {
namespace {

constexpr char kSource[] = "source";

void RequireForm(const io::SequenceDataset& dataset, const proto::Task& task) {
  const bool caption = task.has_caption();
  if (dataset.form() == (caption ? io::SequenceForm::kCaptions : io::SequenceForm::kPairs)) return;
  throw UsageError(
      fmt::format("{}: is a dataset of {}; task {{ {} {{ }} }} needs one of `lockstep import {}`.",
                  dataset.path().string(), io::SequenceFormName(dataset.form()),
                  caption ? "caption" : "translate", caption ? "captions" : "pairs"));
}

worker::Conditioning ConditioningOf(proto::Translate::Conditioning conditioning) {
  switch (conditioning) {
    case proto::Translate::STATE:
      return worker::Conditioning::kState;
    case proto::Translate::CONTEXT:
      return worker::Conditioning::kContext;
    case proto::Translate::BAHDANAU:
      return worker::Conditioning::kBahdanau;
    case proto::Translate::LUONG:
      return worker::Conditioning::kLuong;
  }
  throw std::logic_error("a conditioning of the schema has no implementation");
}

}  // namespace

void TranslateFacts::Scale(std::span<float> numbers) const {
  for (size_t i = 0; i < vector.size(); ++i) {
    numbers[i] = static_cast<float>((numbers[i] - vector[i].mean) / vector[i].deviation);
  }
}

TranslateFacts TranslateFacts::Of(const io::SequenceDataset& dataset,
                                  const proto::RunConfig& config) {
  RequireForm(dataset, config.task());
  TranslateFacts facts;
  if (config.task().has_caption()) {
    const io::SequenceField& vector = dataset.field("vector");
    for (size_t i = 0; i < vector.names.size(); ++i) {
      facts.vector.push_back({vector.names[i], vector.means[i], vector.deviations[i]});
    }
    facts.target = dataset.field("text").vocabulary;
  } else {
    facts.source = dataset.field("source").vocabulary;
    facts.target = dataset.field("target").vocabulary;
  }
  return facts;
}

void TranslateFacts::Store(io::CheckpointHeader& header) const {
  header.vocabulary = target;
  if (source) header.vocabularies[kSource] = *source;
  nlohmann::ordered_json json = {{"form", is_caption() ? "captions" : "pairs"}};
  if (is_caption()) {
    auto& numbers = json["vector"] = nlohmann::ordered_json::array();
    for (const Number& number : vector) {
      numbers.push_back(
          {{"name", number.name}, {"mean", number.mean}, {"deviation", number.deviation}});
    }
  }
  // Names are what files hold, UTF-8 or not.
  header.facts = json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

TranslateFacts TranslateFacts::Load(const io::CheckpointHeader& header, const std::string& origin) {
  TranslateFacts facts;
  try {
    facts.target = header.vocabulary.value();
    const auto json = nlohmann::ordered_json::parse(header.facts);
    if (json.at("form") == "captions") {
      for (const auto& number : json.at("vector")) {
        facts.vector.push_back({number.at("name"), number.at("mean").get<double>(),
                                number.at("deviation").get<double>()});
      }
    } else {
      facts.source = header.vocabularies.at(kSource);
    }
  } catch (const std::exception&) {  // something is not there
    throw UsageError(fmt::format("{}: does not say what its model was trained to write.", origin));
  }
  return facts;
}

worker::EncoderDecoderOptions ModelOptions(const proto::RunConfig& config,
                                           const TranslateFacts& facts) {
  const proto::Translate& translate = config.task().translate();
  const proto::Caption& caption = config.task().caption();
  worker::EncoderDecoderOptions options;
  options.target_vocabulary_size = static_cast<int64_t>(facts.target.size());
  options.embedding_size = config.model().embedding_size();
  options.stack = StackOptionsOf(config.model());
  options.tie_embedding = config.model().tie_embedding();
  if (facts.is_caption()) {
    options.source_vector_size = std::ssize(facts.vector);
    options.conditioning = ConditioningOf(caption.conditioning());
    options.label_smoothing = caption.label_smoothing();
    return options;
  }
  options.source_vocabulary_size = static_cast<int64_t>(facts.source->size());
  options.conditioning = ConditioningOf(translate.conditioning());
  options.input_feeding =
      options.conditioning == worker::Conditioning::kLuong && translate.input_feeding();
  options.label_smoothing = translate.label_smoothing();
  return options;
}

worker::SearchOptions SearchOptionsOf(const proto::Task& task) {
  const proto::Search& search =
      task.has_caption() ? task.caption().search() : task.translate().search();
  worker::SearchOptions options;
  options.beam = search.beam();
  options.length_penalty = search.length_penalty();
  options.length_factor = task.has_caption() ? 0.0 : search.most_tokens_a_token();
  options.length_constant = search.most_tokens();
  return options;
}

}  // namespace lockstep::trainer
