#include <charconv>
#include <utility>

#include <fmt/format.h>

#include "proto/ranges.h"
#include "proto/run_config.h"

namespace lockstep::proto {
namespace {

void CheckModel(const Model& model) {
  const bool is_lstm = model.cell() == LSTM || model.cell() == LSTM_PEEPHOLE;
  const bool projects = model.projection_size() > 0;
  const int32_t outputs = projects ? model.projection_size() : model.hidden_size();
  if (projects && !(is_lstm && outputs < model.hidden_size())) {
    throw ConfigError(fmt::format(
        "model.projection_size is {}; allowed: 0, or less than model.hidden_size ({}) where "
        "model.cell ({}) is LSTM or LSTM_PEEPHOLE",
        outputs, model.hidden_size(), std::string(Cell_Name(model.cell()))));
  }
  if (model.tie_embedding() && model.embedding_size() != outputs) {
    throw ConfigError(fmt::format(
        "model.tie_embedding is true; allowed: true only when model.embedding_size ({}) equals "
        "model.{} ({})",
        model.embedding_size(), projects ? "projection_size" : "hidden_size", outputs));
  }
  const double bias = model.initialization().forget_gate_bias();
  if (bias != 0 && !is_lstm) {
    throw ConfigError(
        fmt::format("model.initialization.forget_gate_bias is {}; allowed: 0, since only "
                    "model.cell LSTM and LSTM_PEEPHOLE have a forget gate and it is {}",
                    bias, std::string(Cell_Name(model.cell()))));
  }
}

void CheckPretrained(const RunConfig& config) {
  const Model& model = config.model();
  const Task& task = config.task();
  const bool some =
      !model.pretrained_vectors().empty() || !model.pretrained_target_vectors().empty();
  if (!some && model.freeze_pretrained()) {
    throw ConfigError(
        "model.freeze_pretrained is true; allowed: true only with model.pretrained_vectors or "
        "model.pretrained_target_vectors");
  }
  if (some && model.embedding_size() == 0) {
    throw ConfigError(
        "model.embedding_size is 0; allowed: the size of the vectors in the file of pretrained "
        "vectors");
  }
  if (!model.pretrained_vectors().empty() && (task.has_forecast() || task.has_caption())) {
    throw ConfigError(
        "model.pretrained_vectors is given; allowed: \"\", since the model reads no words (those "
        "that it writes begin with model.pretrained_target_vectors)");
  }
  if (!model.pretrained_target_vectors().empty() && !task.has_translate() && !task.has_caption()) {
    throw ConfigError(
        "model.pretrained_target_vectors is given; allowed: \"\", but with task.translate and "
        "task.caption, which write words that they have read");
  }
}

// What not every task has.
void CheckRegularization(const RunConfig& config) {
  const Model& model = config.model();
  const Task& task = config.task();
  const bool language_model = task.has_language_model() || task.kind_case() == Task::KIND_NOT_SET;
  const bool labels = task.has_classify() || task.has_tag();
  struct Setting {
    const char* name;
    double value, off;
    bool of_vectors, of_labels;
  };
  const Setting settings[] = {
      {"model.locked_dropout", model.locked_dropout() ? 1.0 : 0.0, 0.0, false, true},
      {"model.input_dropout", model.input_dropout(), 0.0, true, true},
      {"model.output_dropout", model.output_dropout(), -1.0, false, true},
      {"model.weight_drop", model.weight_drop(), 0.0, false, true},
      {"model.embedding_dropout", model.embedding_dropout(), 0.0, true, true},
      {"evaluation.sample_tokens", static_cast<double>(config.evaluation().sample_tokens()), 0.0,
       false, false}};
  for (const auto& [name, value, off, of_vectors, of_labels] : settings) {
    if (value == off) continue;
    if (!language_model && !(labels && of_labels)) {
      throw ConfigError(fmt::format("{} is {}; allowed: {}, but with task.language_model{}", name,
                                    value, off, of_labels ? ", task.classify and task.tag" : ""));
    }
    if (of_vectors && model.embedding_size() == 0) {
      throw ConfigError(fmt::format(
          "{} is {}; allowed: {}, since with model.embedding_size 0 there are no vectors", name,
          value, off));
    }
  }
  if (const double singletons = config.data().unknown_singletons(); singletons > 0.0 && !labels) {
    throw ConfigError(fmt::format(
        "data.unknown_singletons is {}; allowed: 0, but with task.classify and task.tag",
        singletons));
  }
  const double output = model.output_dropout();
  if (output < 0.0 && output != -1.0) {
    throw ConfigError(fmt::format("model.output_dropout is {}; allowed: -1 and [0, 1)", output));
  }
}

void CheckBatches(const RunConfig& config) {
  const Task& task = config.task();
  const int64_t tokens = config.data().tokens_per_batch();
  if (tokens > 0 && (task.has_language_model() || task.kind_case() == Task::KIND_NOT_SET)) {
    throw ConfigError(fmt::format(
        "data.tokens_per_batch is {}; allowed: 0 with task.language_model, whose batches are "
        "data.lanes times data.time_steps",
        tokens));
  }
}

void CheckSoftmax(const RunConfig& config) {
  const LanguageModel& task = config.task().language_model();
  if (task.sampled_softmax() > 0 &&
      (!task.softmax_cutoffs().empty() || task.label_smoothing() > 0.0)) {
    throw ConfigError(
        fmt::format("task.language_model.sampled_softmax is {}; allowed: 0 with "
                    "task.language_model.softmax_cutoffs (\"{}\") or label_smoothing ({})",
                    task.sampled_softmax(), task.softmax_cutoffs(), task.label_smoothing()));
  }
  if (SoftmaxCutoffs(task).empty()) return;
  if (config.model().tie_embedding()) {
    throw ConfigError(
        fmt::format("model.tie_embedding is true; allowed: false with "
                    "task.language_model.softmax_cutoffs (\"{}\"), whose clusters have matrices of "
                    "their own",
                    task.softmax_cutoffs()));
  }
  if (task.label_smoothing() > 0.0) {
    throw ConfigError(
        fmt::format("task.language_model.label_smoothing is {}; allowed: 0 with "
                    "task.language_model.softmax_cutoffs (\"{}\")",
                    task.label_smoothing(), task.softmax_cutoffs()));
  }
}

// A forecaster's networks are those of the papers that they are taken from.
void CheckForecaster(const RunConfig& config) {
  if (!config.task().has_forecast()) return;
  const Model& model = config.model();
  for (const auto& [name, value] : {std::pair{"model.residual", model.residual()},
                                    {"model.layer_normalization", model.layer_normalization()}}) {
    if (value)
      throw ConfigError(fmt::format("{} is true; allowed: false with task.forecast", name));
  }
  if (model.projection_size() > 0) {
    throw ConfigError(fmt::format("model.projection_size is {}; allowed: 0 with task.forecast",
                                  model.projection_size()));
  }
}

// Whose future must not be read cannot be read backwards.
void CheckDirections(const RunConfig& config) {
  if (!config.model().bidirectional()) return;
  const Task& task = config.task();
  if (task.has_classify() || task.has_tag() || task.has_translate()) return;
  throw ConfigError(
      "model.bidirectional is true; allowed: true only with task.classify, task.tag or "
      "task.translate, which read whole texts before they answer");
}

void CheckTask(const Task& task) {
  const auto condition = task.caption().conditioning();
  if (condition != Translate::STATE && condition != Translate::CONTEXT) {
    throw ConfigError(
        fmt::format("task.caption.conditioning is {}; allowed: STATE and CONTEXT, since there is "
                    "one vector only to attend to",
                    Translate::Conditioning_Name(condition)));
  }
}

void CheckOptimizer(const Optimizer& optimizer) {
  const Sgd& sgd = optimizer.sgd();
  if (sgd.nesterov() && !(sgd.momentum() > 0 && sgd.dampening() == 0)) {
    throw ConfigError(fmt::format(
        "optimizer.sgd.nesterov is true; allowed: true only when optimizer.sgd.momentum ({}) is "
        "greater than 0 and optimizer.sgd.dampening ({}) is 0",
        sgd.momentum(), sgd.dampening()));
  }
}

void CheckEvaluation(const RunConfig& config) {
  if (config.evaluation().every_steps() > 0) return;
  if (config.optimizer().schedule().has_plateau()) {
    throw ConfigError(
        "evaluation.every_steps is 0; allowed: 1 or more with optimizer.schedule.plateau, which "
        "follows the validation loss");
  }
  if (config.optimizer().averaging().has_nt_asgd()) {
    throw ConfigError(
        "evaluation.every_steps is 0; allowed: 1 or more with optimizer.averaging.nt_asgd, which "
        "follows the validation loss");
  }
  if (config.evaluation().early_stopping().patience() > 0) {
    throw ConfigError(fmt::format(
        "evaluation.every_steps is 0; allowed: 1 or more with evaluation.early_stopping.patience "
        "({}), which counts evaluations",
        config.evaluation().early_stopping().patience()));
  }
}

}  // namespace

std::vector<int64_t> SoftmaxCutoffs(const LanguageModel& task) {
  const std::string& text = task.softmax_cutoffs();
  std::vector<int64_t> cutoffs;
  for (const char *at = text.data(), *end = at + text.size(); at < end;) {
    int64_t number = 0;
    const auto [rest, error] = std::from_chars(at, end, number);
    const bool ends = rest == end || (*rest == ',' && rest + 1 < end);
    if (error != std::errc() || !ends || number <= (cutoffs.empty() ? 0 : cutoffs.back())) {
      throw ConfigError(fmt::format(
          "task.language_model.softmax_cutoffs is \"{}\"; allowed: rising numbers from 1 "
          "on with commas between them, as \"4000,20000\"",
          text));
    }
    cutoffs.push_back(number);
    at = rest == end ? end : rest + 1;
  }
  return cutoffs;
}

void ValidateRunConfig(const RunConfig& config) {
  CheckRanges(config);
  CheckModel(config.model());
  CheckDirections(config);
  CheckForecaster(config);
  CheckPretrained(config);
  CheckRegularization(config);
  CheckBatches(config);
  CheckSoftmax(config);
  CheckTask(config.task());
  CheckOptimizer(config.optimizer());
  CheckEvaluation(config);
}

}  // namespace lockstep::proto
