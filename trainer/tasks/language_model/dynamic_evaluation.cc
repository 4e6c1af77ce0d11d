#include "trainer/tasks/language_model/dynamic_evaluation.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <string>

#include <fmt/format.h>

#include "trainer/exit_status.h"
#include "trainer/ranks/communicator.h"
#include "trainer/run/checkpoint_contents.h"
#include "trainer/tasks/model_options.h"
#include "worker/optimizers/dynamic_step.h"

namespace lockstep::trainer {
namespace {

// The name of the optimizer's mean (or sum) of squares, "" where it has none, and what a mean of
// them is multiplied by.
struct Squares {
  std::string slot;
  double factor = 1.0;
  double begin = 0.0;  // what it began with
};

Squares SquaresOf(const proto::Optimizer& optimizer, int64_t steps) {
  const auto n = static_cast<double>(steps);
  const worker::OptimizerOptions options = OptimizerOptions(optimizer);
  if (const auto* adam = std::get_if<worker::AdamOptions>(&options)) {
    return {"exp_avg_sq", 1.0 / (1.0 - std::pow(adam->beta2, n))};
  }
  if (const auto* rmsprop = std::get_if<worker::RmsPropOptions>(&options)) {
    return {"square_avg", 1.0 / (1.0 - std::pow(rmsprop->alpha, n))};
  }
  if (const auto* adagrad = std::get_if<worker::AdagradOptions>(&options)) {
    return {"sum", 1.0 / n, adagrad->initial_accumulator};
  }
  return {};
}

}  // namespace

proto::RunConfig ForDynamicEvaluation(proto::RunConfig config, const DynamicOptions& options) {
  config.mutable_data()->set_lanes(1);
  config.mutable_data()->set_time_steps(options.segment);
  proto::Model& model = *config.mutable_model();
  model.set_dropout(0.0);
  model.clear_input_dropout();
  model.clear_output_dropout();
  model.clear_weight_drop();
  model.clear_embedding_dropout();
  if (config.task().has_language_model()) {
    proto::LanguageModel& task = *config.mutable_task()->mutable_language_model();
    task.clear_activation_regularization();
    task.clear_temporal_activation_regularization();
    task.clear_label_smoothing();
    task.clear_sampled_softmax();
    task.clear_vary_time_steps();
  }
  return config;
}

DynamicEvaluation::DynamicEvaluation(worker::LanguageModel& model,
                                     const io::CheckpointReader& checkpoint,
                                     const DynamicOptions& options)
    : model_(model), options_(options) {
  const std::string origin = checkpoint.path().string();
  const proto::RunConfig config = proto::ParseRunConfig(checkpoint.header().configuration, origin);
  const worker::Parameters& parameters = model.parameters();
  start_.assign(parameters.values().begin(), parameters.values().end());
  tokens_of_step_ = static_cast<double>(config.data().lanes()) *
                    static_cast<double>(config.data().time_steps()) *
                    std::max(1, config.training().accumulate_batches());
  if (config.model().freeze_pretrained() && !config.model().pretrained_vectors().empty()) {
    frozen_ = model.embedding_weight();
  }
  const int64_t steps = CounterOf(checkpoint.header(), "optimizer_steps", origin);
  const Squares squares = SquaresOf(config.optimizer(), steps);
  if (squares.slot.empty() || steps == 0) return;
  deviations_.resize(start_.size());
  LoadGroup(checkpoint, "optimizer/" + squares.slot + "/", parameters, deviations_);
  for (float& s : deviations_) {
    s = static_cast<float>(std::sqrt(squares.factor * std::max(s - squares.begin, 0.0)));
  }
  // The gradients of what is frozen were never more than 0.
  const int64_t frozen = frozen_ >= 0 ? parameters.list()[frozen_].size : 0;
  mean_ = std::accumulate(deviations_.begin(), deviations_.end(), 0.0) /
          static_cast<double>(parameters.size() - frozen);
  if (mean_ == 0.0) {
    deviations_.clear();
    return;
  }
  for (float& s : deviations_) s = static_cast<float>(s / mean_);
}

double DynamicEvaluation::Score(const worker::TokenBatch& segment, worker::RecurrentState& state) {
  worker::Parameters& parameters = model_.parameters();
  parameters.ClearGradient();
  const double loss = model_.Forward(segment, state, {});
  if (!std::isfinite(loss)) {
    throw AgreedError(fmt::format("the loss is {} by now: the model has learnt itself to death. "
                                  "Lower --dynamic ({}), or raise --dynamic-decay ({}).",
                                  loss, options_.rate, options_.decay),
                      kDiverged);
  }
  const int64_t places = segment.time_steps * segment.lanes;
  const auto tokens = places - std::count_if(segment.targets, segment.targets + places,
                                             [](int32_t target) { return target < 0; });
  if (tokens == 0) return loss;
  model_.Backward();
  if (frozen_ >= 0) {
    std::fill_n(parameters.gradient(frozen_), parameters.list()[frozen_].size, 0.0f);
  }
  const auto n = static_cast<double>(tokens);
  double rate = options_.rate / n;
  if (!deviations_.empty()) rate /= mean_ * std::sqrt(tokens_of_step_ / n);
  worker::DynamicStep(parameters.values(), parameters.gradient(), start_, deviations_, rate,
                      options_.decay);
  return loss;
}

}  // namespace lockstep::trainer
