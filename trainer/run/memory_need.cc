#include "trainer/run/memory_need.h"

namespace lockstep::trainer {

MemoryNeed NeedOf(const worker::LanguageModelOptions& model,
                  const worker::OptimizerOptions& optimizer, int64_t time_steps, int64_t lanes,
                  int64_t all_lanes) {
  constexpr int64_t kFloatBytes = sizeof(float);
  const worker::LanguageModel empty(model, worker::Pass::kNone);
  const auto slots = static_cast<int64_t>(worker::Optimizer(optimizer, 0).slots().size());
  MemoryNeed need;
  need.parameters = empty.parameters().size();
  need.fixed_bytes = need.parameters * (2 + slots) * kFloatBytes;
  need.working_bytes = empty.WorkingBytes(time_steps, lanes);
  // States of all lanes, of the training and of an evaluation under way; the one that is being put
  // in order stands there twice.
  const int64_t arrays = 2 * (model.cell == worker::Cell::kLstm ? 2 : 1) + 1;
  need.checkpoint_bytes = arrays * model.layers * all_lanes * model.hidden_size * kFloatBytes;
  return need;
}

}  // namespace lockstep::trainer
