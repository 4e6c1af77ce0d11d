#ifndef LOCKSTEP_TRAINER_RUN_CHECKPOINT_CONTENTS_H_
#define LOCKSTEP_TRAINER_RUN_CHECKPOINT_CONTENTS_H_

#include <span>
#include <string>
#include <vector>

#include "io/checkpoints/checkpoint.h"
#include "trainer/run/replica.h"

namespace lockstep::trainer {

// What a checkpoint's names mean (io/FORMATS.md lists them). None of this is collective.

/// Counters and measures of a position, a schedule and an evaluation under way, and back.
/// UsageError when one is missing that files have always had; `origin` names the file.
void StorePosition(const Replica& replica, io::CheckpointHeader& header);
void LoadPosition(const io::CheckpointHeader& header, const std::string& origin, Replica& replica);

/// A counter that files have always had. The same errors.
int64_t CounterOf(const io::CheckpointHeader& header, const std::string& name,
                  const std::string& origin);

/// Views of parameters, optimizer state and hidden states: `slots`, of the optimizer's, are of all
/// parameters, `state` and `evaluation` (empty where none is under way) of all lanes of the job,
/// [L, lanes, units]. They borrow from the arguments.
std::vector<io::TensorView> ViewTensors(const Replica& replica,
                                        const std::vector<std::span<const float>>& slots,
                                        const worker::RecurrentState& state,
                                        const worker::RecurrentState& evaluation);
/// The slots of an optimizer of all parameters.
std::vector<std::span<const float>> ViewSlots(const worker::Optimizer& optimizer);
std::vector<std::span<float>> MutableSlots(worker::Optimizer& optimizer);

/// Reads a checkpoint's parameters straight into a model: those that it predicts with, which are
/// the averages where there are any, or those that it trains. UsageError when names or shapes
/// differ.
void LoadParameters(const io::CheckpointReader& checkpoint, worker::Parameters& parameters);
void LoadTrainedParameters(const io::CheckpointReader& checkpoint, worker::Parameters& parameters);
/// The group of tensors that LoadParameters reads: "averages/" or kTrainedGroup.
inline constexpr char kTrainedGroup[] = "parameters/";
std::string PredictingGroup(const io::CheckpointReader& checkpoint);

/// Reads an array of the layout of the parameters: "optimizer/exp_avg_sq/", say. The same errors.
void LoadGroup(const io::CheckpointReader& checkpoint, const std::string& group,
               const worker::Parameters& parameters, std::span<float> out);

/// Reads optimizer state, of all parameters, into `slots`, averages (after LoadPosition) into their
/// place, and a hidden state of all lanes [L, lanes, units] over `state`, a zero state of the
/// model: that of the training
/// ("state") or that of the evaluation under way ("evaluation"). UsageError when names or shapes
/// differ: the arrays of the file and those of the model must be the same.
void LoadOptimizer(const io::CheckpointReader& checkpoint,
                   const std::vector<std::span<float>>& slots, Replica& replica);
void LoadState(const io::CheckpointReader& checkpoint, const std::string& group,
               worker::RecurrentState& state);

/// The part of an array of a state [L, lanes, units] that belongs to some lanes, and the reverse:
/// `parts` holds each rank's [L, B_rank, units] one after another in rank order.
std::vector<float> SliceLanes(const std::vector<float>& all, int64_t layers, int64_t lanes,
                              LaneRange range);
std::vector<float> JoinLanes(const std::vector<float>& parts, int64_t layers, int64_t lanes,
                             int ranks);

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_RUN_CHECKPOINT_CONTENTS_H_
