#ifndef LOCKSTEP_TRAINER_RUN_PLAN_H_
#define LOCKSTEP_TRAINER_RUN_PLAN_H_

#include <cstdint>
#include <string>
#include <vector>

#include "trainer/ranks/gradient_sum.h"

namespace lockstep::trainer {

// What a training step would take on a cluster, from what it takes on one of its hosts.

/// Between hosts: of each in either direction.
struct Network {
  double bytes_per_second = 0.0;
  double latency_seconds = 0.0;
};

/// From "10gbit,50us": a rate in kbit, mbit or gbit, and a latency in us or ms. UsageError.
Network ParseNetwork(const std::string& text);

/// So many ranks, on hosts that are all alike.
struct RankLayout {
  int hosts = 1;
  int ranks_per_host = 1;
  int ranks() const { return hosts * ranks_per_host; }
};

/// From when on the gradient at an offset and behind it was final, in seconds from the beginning of
/// the way back. As the model tells of it: offsets fall, times rise.
struct ReadyTime {
  int64_t offset = 0;
  double seconds = 0.0;
};

/// A step of one rank, measured.
struct StepTimes {
  double before = 0.0;    ///< data, forward, and all but the last way back of the step
  double backward = 0.0;  ///< the last way back
  double update = 0.0;    ///< clip and optimizer
  std::vector<ReadyTime> ready;
};

/// What sums of gradients take.
struct SumCosts {
  int64_t parameters = 0;
  SumForm form = {};
  bool overlap = true;           ///< between hosts, pieces go out as they become final
  double in_host_seconds = 0.0;  ///< of the whole gradient between the ranks of a host, measured

  double bytes_of_float() const { return form.wire == Wire::kBfloat16 ? 2.0 : 4.0; }
  /// Ranks update their shares, and send weights behind that.
  bool sharded() const { return form.result == SumResult::kShares; }
};

/// What is left to wait for when the way back has ended. Pieces of a gradient (GradientSum) go
/// through a host's network one behind another, each 2 w R (N - R) / N times its size (N ranks, R
/// of them on the host, w bytes each), and the last one takes two latencies more; then what goes
/// between the ranks of the host. Where ranks update shares, half of that, and then the weights,
/// for which all wait. Where pieces go from host to host, each is w times its size, or twice that
/// where a host has two neighbours, and the last one has to go to the last host and back; in bf16 H
/// hosts send 2 (H - 1) / H times it, each to all others.
double ExposedSeconds(const StepTimes& step, const SumCosts& costs, const RankLayout& layout,
                      const Network& network);

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_RUN_PLAN_H_
