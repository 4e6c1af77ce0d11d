#include "trainer/tasks/translate/text_predictor.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "io/text/token_texts.h"
#include "trainer/exit_status.h"
#include "trainer/run/checkpoint_contents.h"
#include "trainer/tasks/translate/target_search.h"
#include "trainer/tasks/translate/target_text.h"

namespace lockstep::trainer {
namespace {

double Rounded(double value) { return std::round(1e6 * value) / 1e6; }

bool HasAttention(const proto::Task& task) {
  if (!task.has_translate()) return false;
  const auto conditioning = task.translate().conditioning();
  return conditioning == proto::Translate::BAHDANAU || conditioning == proto::Translate::LUONG;
}

worker::SearchOptions SearchFor(const proto::Task& task, const PredictionOptions& options) {
  worker::SearchOptions search = SearchOptionsOf(task);
  if (options.temperature && options.beam) {
    throw UsageError("--temperature draws texts and --beam searches for the likeliest: give one.");
  }
  if (options.beam && *options.beam < options.nbest) {
    throw UsageError(
        fmt::format("--nbest {} with --beam {}: a search finds no more texts than it follows. "
                    "Raise --beam.",
                    options.nbest, *options.beam));
  }
  if (options.copy_unknown && !HasAttention(task)) {
    throw UsageError(
        "--copy-unknown needs a translator with attention (task.translate.conditioning BAHDANAU "
        "or LUONG), which says where a word comes from.");
  }
  search.nbest = options.nbest;
  search.beam = std::max(options.beam.value_or(search.beam), options.nbest);
  search.temperature = options.temperature.value_or(0.0);
  search.seed = options.seed;
  return search;
}

std::vector<std::string> NamesOf(const TranslateFacts& facts) {
  std::vector<std::string> names;
  for (const TranslateFacts::Number& number : facts.vector) names.push_back(number.name);
  return names;
}

}  // namespace

TextPredictor::TextPredictor(const io::CheckpointReader& checkpoint, const proto::RunConfig& config,
                             const PredictionOptions& options)
    : options_(options),
      facts_(TranslateFacts::Load(checkpoint.header(), checkpoint.path().string())),
      cells_(NamesOf(facts_)),
      search_(SearchFor(config.task(), options)),
      model_(std::make_unique<worker::EncoderDecoder>(ModelOptions(config, facts_),
                                                      worker::Pass::kForward)) {
  LoadParameters(checkpoint, model_->parameters());
}

TextPredictor::Source TextPredictor::Read(const InputLine& line) const {
  Source source;
  if (facts_.is_caption()) {
    source.vector = cells_.Read(line);
    if (!source.vector.empty()) facts_.Scale(source.vector);
    return source;
  }
  source.tokens = EncodeLine(*facts_.source, line);
  if (options_.copy_unknown) source.surfaces = io::TokenTexts(*facts_.source, line.text);
  return source;
}

std::string TextPredictor::TextOfHypothesis(const Source& source,
                                            const worker::Hypothesis& hypothesis) const {
  if (!options_.copy_unknown) return TextOf(facts_.target, hypothesis.tokens);
  return TextOf(facts_.target, hypothesis.tokens,
                [&](size_t place) { return source.surfaces.at(hypothesis.attended.at(place)); });
}

std::string TextPredictor::Lines(const InputLine& line, const Source& source,
                                 const std::vector<worker::Hypothesis>& found) const {
  std::string lines;
  for (const worker::Hypothesis& hypothesis : found) {
    std::string text = TextOfHypothesis(source, hypothesis);
    for (const char end : {'\n', '\r'}) std::ranges::replace(text, end, ' ');
    if (options_.nbest == 1) return text;
    std::ranges::replace(text, '\t', ' ');
    if (!lines.empty()) lines += "\n";
    lines += fmt::format("{}\t{}\t{:.4f}", line.number, text, hypothesis.score);
  }
  return lines;
}

std::string TextPredictor::Json(const Source& source,
                                const std::vector<worker::Hypothesis>& found) const {
  const auto object = [&](const worker::Hypothesis& hypothesis) {
    nlohmann::ordered_json json = {{"text", TextOfHypothesis(source, hypothesis)},
                                   {"log_probability", Rounded(hypothesis.log_probability)},
                                   {"score", Rounded(hypothesis.score)}};
    auto& tokens = json["tokens"] = nlohmann::ordered_json::array();
    for (const int32_t token : hypothesis.tokens) tokens.push_back(facts_.target.tokens()[token]);
    if (!hypothesis.attended.empty()) json["attended"] = hypothesis.attended;
    return json;
  };
  nlohmann::ordered_json json = {{"text", ""}};
  if (!found.empty()) json = object(found.front());
  if (options_.nbest > 1) {
    auto& texts = json["texts"] = nlohmann::ordered_json::array();
    for (const worker::Hypothesis& hypothesis : found) texts.push_back(object(hypothesis));
  }
  return json.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

std::vector<std::string> TextPredictor::Answer(std::span<const InputLine> lines) {
  std::vector<Source> read;
  TargetSources asked;
  std::vector<size_t> place;  // of a line among what is asked
  for (const InputLine& line : lines) {
    const Source& source = read.emplace_back(Read(line));
    place.push_back(asked.size());
    if (source.empty()) continue;
    if (facts_.is_caption()) {
      asked.vectors.push_back(source.vector);
    } else {
      asked.texts.push_back(source.tokens);
    }
    asked.numbers.push_back(line.number);
  }
  const auto found = FindTargets(*model_, asked, search_);
  std::vector<std::string> answers;
  for (size_t i = 0; i < lines.size(); ++i) {
    const auto& of_line = read[i].empty() ? std::vector<worker::Hypothesis>() : found[place[i]];
    answers.push_back(options_.json ? Json(read[i], of_line) : Lines(lines[i], read[i], of_line));
  }
  return answers;
}

}  // namespace lockstep::trainer
