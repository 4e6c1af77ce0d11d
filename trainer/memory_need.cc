#include "trainer/memory_need.h"

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
  // As the ranks sent them and put in order; of two arrays the first is in order by then.
  const int64_t arrays = model.cell == worker::Cell::kLstm ? 3 : 2;
  need.checkpoint_bytes = arrays * model.layers * all_lanes * model.hidden_size * kFloatBytes;
  return need;
}

}  // namespace lockstep::trainer
