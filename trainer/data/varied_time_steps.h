#ifndef LOCKSTEP_TRAINER_DATA_VARIED_TIME_STEPS_H_
#define LOCKSTEP_TRAINER_DATA_VARIED_TIME_STEPS_H_

#include <cstdint>
#include <vector>

namespace lockstep::trainer {

/// No batch has more time steps than this many above data.time_steps.
inline constexpr int64_t kMostMoreTimeSteps = 30;

/// The time steps of the batches of an epoch whose lanes have `total` of them: they vary about
/// `time_steps`, so that a text is not cut at the same places in every epoch (Merity et al. 2017,
/// section 5). Each is drawn from a normal distribution (as the sum of twelve uniform numbers) with
/// deviation 5 about `time_steps`, or for one in twenty about half of it, and is 5 at least; one
/// batch takes what is left. The lengths are a function of the seed, so that all epochs have as
/// many batches; their order is one of seed and epoch. Exact: the same on every host.
std::vector<int64_t> VariedTimeSteps(int64_t total, int64_t time_steps, uint64_t seed,
                                     int64_t epoch);

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_DATA_VARIED_TIME_STEPS_H_
