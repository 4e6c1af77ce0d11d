#include "trainer/tasks/model_options.h"

#include <stdexcept>
#include <utility>

#include "worker/products/precision.h"

namespace lockstep::trainer {
namespace {

worker::ScheduleShape ShapeOf(const proto::Schedule& config, int64_t total_steps) {
  switch (config.shape_case()) {
    case proto::Schedule::kStep:
      return worker::StepSchedule{config.step().every_steps(), config.step().factor()};
    case proto::Schedule::kExponential:
      return worker::ExponentialSchedule{config.exponential().every_steps(),
                                         config.exponential().factor()};
    case proto::Schedule::kCosine:
      return worker::CosineSchedule{config.cosine().final_factor(), total_steps};
    case proto::Schedule::kPlateau:
      return worker::PlateauSchedule{config.plateau().factor(), config.plateau().patience(),
                                     config.plateau().threshold(),
                                     config.plateau().minimum_factor()};
    case proto::Schedule::kConstant:
    case proto::Schedule::SHAPE_NOT_SET:
      return worker::ConstantSchedule{};
  }
  throw std::logic_error("a schedule of the schema has no implementation");
}

}  // namespace

worker::Cell CellOf(proto::Cell cell) {
  switch (cell) {
    case proto::RNN_TANH:
      return worker::Cell::kRnnTanh;
    case proto::RNN_RELU:
      return worker::Cell::kRnnRelu;
    case proto::LSTM:
      return worker::Cell::kLstm;
    case proto::LSTM_PEEPHOLE:
      return worker::Cell::kLstmPeephole;
    case proto::GRU:
      return worker::Cell::kGru;
    case proto::GRU_RESET_BEFORE:
      return worker::Cell::kGruResetBefore;
  }
  throw std::logic_error("a cell of the schema has no implementation");
}

void UsePrecision(const proto::Model& model) {
  worker::SetProductPrecision(model.precision() == proto::Model::BF16
                                  ? worker::Precision::kBf16
                                  : worker::Precision::kFloat32);
}

worker::StackOptions StackOptionsOf(const proto::Model& model) {
  worker::StackOptions options;
  options.cell = CellOf(model.cell());
  // The worker's hidden_size is that of the outputs.
  options.hidden_size = model.hidden_size();
  if (model.projection_size() > 0) {
    options.cell_size = std::exchange(options.hidden_size, model.projection_size());
  }
  options.layers = model.layers();
  options.dropout = model.dropout();
  options.bidirectional = model.bidirectional();
  options.residual = model.residual();
  options.layer_norm = model.layer_normalization();
  options.locked_dropout = model.locked_dropout();
  options.input_dropout = model.input_dropout();
  if (model.output_dropout() >= 0.0) options.output_dropout = model.output_dropout();
  options.weight_drop = model.weight_drop();
  return options;
}

worker::LanguageModelOptions ModelOptions(const proto::RunConfig& config, int64_t vocabulary_size,
                                          int ranks) {
  const proto::Model& model = config.model();
  worker::LanguageModelOptions options;
  options.vocabulary_size = vocabulary_size;
  options.embedding_size = model.embedding_size();
  const worker::StackOptions stack = StackOptionsOf(model);
  options.cell = stack.cell;
  options.layers = stack.layers;
  options.hidden_size = stack.hidden_size;
  options.cell_size = stack.cell_size;
  options.dropout = stack.dropout;
  options.tie_embedding = model.tie_embedding();
  options.residual = stack.residual;
  options.layer_norm = stack.layer_norm;
  options.locked_dropout = stack.locked_dropout;
  options.input_dropout = stack.input_dropout;
  options.output_dropout = stack.output_dropout;
  options.weight_drop = stack.weight_drop;
  options.embedding_dropout = model.embedding_dropout();
  const proto::LanguageModel& task = config.task().language_model();
  options.activation_regularization = task.activation_regularization();
  options.temporal_activation_regularization = task.temporal_activation_regularization();
  options.label_smoothing = task.label_smoothing();
  options.softmax = {proto::SoftmaxCutoffs(task), task.softmax_division()};
  options.sampled_classes = task.sampled_softmax();
  if (ranks > 0) options.lanes_of_rank = config.data().lanes() / ranks;
  return options;
}

worker::InitializationOptions InitializationOptions(const proto::RunConfig& config) {
  const proto::Initialization& initialization = config.model().initialization();
  worker::InitializationOptions options;
  options.seed = config.training().seed();
  if (initialization.has_uniform()) options.uniform = initialization.uniform();
  if (initialization.has_normal()) options.normal = initialization.normal();
  options.forget_gate_bias = initialization.forget_gate_bias();
  return options;
}

worker::OptimizerOptions OptimizerOptions(const proto::Optimizer& config) {
  switch (config.rule_case()) {
    case proto::Optimizer::kAdamw: {
      const auto& o = config.adamw();
      return worker::AdamOptions{o.beta1(), o.beta2(), o.epsilon(), o.weight_decay(), true};
    }
    case proto::Optimizer::kSgd: {
      const auto& o = config.sgd();
      return worker::SgdOptions{o.momentum(), o.dampening(), o.weight_decay(), o.nesterov()};
    }
    case proto::Optimizer::kRmsprop: {
      const auto& o = config.rmsprop();
      return worker::RmsPropOptions{o.alpha(), o.epsilon(), o.momentum(), o.weight_decay()};
    }
    case proto::Optimizer::kAdagrad: {
      const auto& o = config.adagrad();
      return worker::AdagradOptions{o.learning_rate_decay(), o.initial_accumulator(), o.epsilon(),
                                    o.weight_decay()};
    }
    case proto::Optimizer::kAdam:
    case proto::Optimizer::RULE_NOT_SET: {
      const auto& o = config.adam();
      return worker::AdamOptions{o.beta1(), o.beta2(), o.epsilon(), o.weight_decay(), false};
    }
  }
  throw std::logic_error("an optimizer of the schema has no implementation");
}

worker::AveragingOptions AveragingOptions(const proto::Averaging& config) {
  switch (config.kind_case()) {
    case proto::Averaging::kEma:
      return worker::ExponentialAveraging{config.ema().decay()};
    case proto::Averaging::kNtAsgd:
      return worker::TriggeredAveraging{config.nt_asgd().patience()};
    case proto::Averaging::kNone:
    case proto::Averaging::KIND_NOT_SET:
      return worker::NoAveraging{};
  }
  throw std::logic_error("an average of the schema has no implementation");
}

worker::Schedule MakeSchedule(const proto::Optimizer& config, int64_t total_steps) {
  return {config.learning_rate(), config.schedule().warmup_steps(),
          ShapeOf(config.schedule(), total_steps)};
}

}  // namespace lockstep::trainer
