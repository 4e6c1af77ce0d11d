#include "trainer/run/resume_check.h"

#include <fmt/format.h>

#include "trainer/exit_status.h"

namespace lockstep::trainer {
namespace {

const char* RuleName(const proto::Optimizer& optimizer) {
  const auto* oneof = proto::Optimizer::descriptor()->FindOneofByName("rule");
  const auto* field = proto::Optimizer::GetReflection()->GetOneofFieldDescriptor(optimizer, oneof);
  return field ? field->name().c_str() : "adam";
}

}  // namespace

void CheckSameTraining(const proto::RunConfig& then, const proto::RunConfig& now,
                       const std::string& checkpoint) {
  const auto require = [&](const char* field, const auto& old_value, const auto& new_value) {
    if (old_value == new_value) return;
    throw UsageError(
        fmt::format("{}: was trained with {} {}, the configuration says {}. Set it back, or train "
                    "anew in another training.folder (or with "
                    "--resume never).",
                    checkpoint, field, old_value, new_value));
  };
  const proto::Model &a = then.model(), &b = now.model();
  require("model.cell", proto::Cell_Name(a.cell()), proto::Cell_Name(b.cell()));
  require("model.layers", a.layers(), b.layers());
  require("model.hidden_size", a.hidden_size(), b.hidden_size());
  require("model.embedding_size", a.embedding_size(), b.embedding_size());
  require("model.tie_embedding", a.tie_embedding(), b.tie_embedding());
  require("data.lanes", then.data().lanes(), now.data().lanes());
  require("data.time_steps", then.data().time_steps(), now.data().time_steps());
  require("data.split", then.data().split(), now.data().split());
  require("training.seed", then.training().seed(), now.training().seed());
  require("training.accumulate_batches", then.training().accumulate_batches(),
          now.training().accumulate_batches());
  require("optimizer", std::string(RuleName(then.optimizer())),
          std::string(RuleName(now.optimizer())));
}

bool SameEvaluation(const proto::RunConfig& then, const proto::RunConfig& now) {
  return then.evaluation().split() == now.evaluation().split() &&
         then.evaluation().most_tokens() == now.evaluation().most_tokens();
}

}  // namespace lockstep::trainer
