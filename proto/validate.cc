#include <fmt/format.h>

#include "proto/ranges.h"
#include "proto/run_config.h"

namespace lockstep::proto {
namespace {

void CheckModel(const Model& model) {
  if (model.tie_embedding() && model.embedding_size() != model.hidden_size()) {
    throw ConfigError(fmt::format(
        "model.tie_embedding is true; allowed: true only when model.embedding_size ({}) equals "
        "model.hidden_size ({})",
        model.embedding_size(), model.hidden_size()));
  }
  const double bias = model.initialization().forget_gate_bias();
  if (bias != 0 && model.cell() != LSTM) {
    throw ConfigError(
        fmt::format("model.initialization.forget_gate_bias is {}; allowed: 0, since only "
                    "model.cell LSTM has a forget gate and it is {}",
                    bias, std::string(Cell_Name(model.cell()))));
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
  if (config.evaluation().early_stopping().patience() > 0) {
    throw ConfigError(fmt::format(
        "evaluation.every_steps is 0; allowed: 1 or more with evaluation.early_stopping.patience "
        "({}), which counts evaluations",
        config.evaluation().early_stopping().patience()));
  }
}

}  // namespace

void ValidateRunConfig(const RunConfig& config) {
  CheckRanges(config);
  CheckModel(config.model());
  CheckOptimizer(config.optimizer());
  CheckEvaluation(config);
}

}  // namespace lockstep::proto
