#include "trainer/run/memory_need.h"

#include "trainer/ranks/gradient_sum.h"

namespace lockstep::trainer {

MemoryNeed NeedOf(const ModelSize& model, const worker::OptimizerOptions& optimizer,
                  int64_t all_lanes, int ranks, const worker::AveragingOptions& averaging) {
  constexpr int64_t kFloatBytes = sizeof(float);
  const auto slots = static_cast<int64_t>(worker::Optimizer(optimizer, 0).slots().size()) +
                     (worker::Averaging(averaging, 0).enabled() ? 1 : 0);
  MemoryNeed need;
  need.parameters = model.parameters;
  need.fixed_bytes =
      need.parameters * (2 + slots) * kFloatBytes + GradientSum::Bytes(need.parameters, ranks);
  need.working_bytes = model.working_bytes;
  // A copy of all that is saved. States of all lanes, of the training and of an evaluation under
  // way, stand there once more; the one that is being put in order, a third time.
  need.checkpoint_bytes = (need.parameters * (1 + slots) +
                           (4 * model.state_floats + model.largest_state_floats) * all_lanes) *
                          kFloatBytes;
  return need;
}

}  // namespace lockstep::trainer
