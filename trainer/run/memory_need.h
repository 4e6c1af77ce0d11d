#ifndef LOCKSTEP_TRAINER_RUN_MEMORY_NEED_H_
#define LOCKSTEP_TRAINER_RUN_MEMORY_NEED_H_

#include <cstdint>
#include <vector>

#include "trainer/ranks/gradient_sum.h"
#include "trainer/tasks/task.h"
#include "worker/optimizers/averaging.h"
#include "worker/optimizers/optimizer.h"

namespace lockstep::trainer {

/// What the arrays of one rank will take; known before any of them is allocated.
struct MemoryNeed {
  int64_t parameters = 0;        ///< how many there are
  int64_t fixed_bytes = 0;       ///< parameters, gradient, optimizer, averages, pieces of sums
  int64_t working_bytes = 0;     ///< activations of a batch
  int64_t checkpoint_bytes = 0;  ///< rank 0 alone, from the first checkpoint on: a copy of it
  int64_t bytes() const { return fixed_bytes + working_bytes; }
};

/// Of a job.
struct JobSize {
  int64_t lanes = 0;
  std::vector<int> hosts = {1};  ///< as Communicator::host_sizes() gives them
  int ranks = 1;
  SumForm form = {};  ///< with shares, each rank has its part of the optimizer
};

MemoryNeed NeedOf(const ModelSize& model, const worker::OptimizerOptions& optimizer,
                  const JobSize& job,
                  const worker::AveragingOptions& averaging = worker::NoAveraging{});

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_RUN_MEMORY_NEED_H_
