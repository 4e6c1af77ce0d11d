#include "trainer/run/memory_need.h"

namespace lockstep::trainer {

MemoryNeed NeedOf(const ModelSize& model, const worker::OptimizerOptions& optimizer,
                  const JobSize& job, const worker::AveragingOptions& averaging) {
  constexpr int64_t kFloatBytes = sizeof(float);
  const auto slots = static_cast<int64_t>(worker::Optimizer(optimizer, 0).slots().size());
  const int64_t averages = worker::Averaging(averaging, 0).enabled() ? 1 : 0;
  MemoryNeed need;
  need.parameters = model.parameters;
  int64_t updated = need.parameters;  // of the rank that has most
  const bool sharded = job.form.result == SumResult::kShares;
  if (sharded) {
    updated = 0;
    for (const auto& range :
         GradientSum::SharesOf(need.parameters, job.ranks - 1, job.hosts, job.ranks)) {
      updated += range.size();
    }
  }
  need.fixed_bytes = (need.parameters * (2 + averages) + updated * slots) * kFloatBytes +
                     GradientSum::Bytes(need.parameters, job.hosts, job.ranks, job.form);
  need.working_bytes = model.working_bytes;
  // A copy of all that is saved. States of all lanes, of the training and of an evaluation under
  // way, stand there once more; the one that is being put in order, a third time.
  // What is put together of the ranks' optimizers stands there, too, while the copy is taken.
  const int64_t copied = need.parameters * (1 + slots + averages);
  const int64_t collected = sharded && job.ranks > 1 ? need.parameters * (slots + 1) : 0;
  need.checkpoint_bytes =
      (copied + collected + (4 * model.state_floats + model.largest_state_floats) * job.lanes) *
      kFloatBytes;
  return need;
}

}  // namespace lockstep::trainer
