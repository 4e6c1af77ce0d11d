#ifndef LOCKSTEP_TRAINER_TASKS_LANGUAGE_MODEL_DYNAMIC_EVALUATION_H_
#define LOCKSTEP_TRAINER_TASKS_LANGUAGE_MODEL_DYNAMIC_EVALUATION_H_

#include <cstdint>
#include <vector>

#include "io/checkpoints/checkpoint.h"
#include "proto/run_config.h"
#include "trainer/tasks/dynamic_options.h"
#include "worker/models/language_model.h"

namespace lockstep::trainer {

/// The configuration with which a checkpoint's model is evaluated so: one lane, read segment by
/// segment, and nothing of what only a training does.
proto::RunConfig ForDynamicEvaluation(proto::RunConfig config, const DynamicOptions& options);

/// A language model that goes on learning from what it has been measured on: Krause et al. 2018,
/// "Dynamic evaluation of neural sequence models", equations 5 and 7. Behind every segment, with g
/// the gradient of its mean loss, w0 the weights of the checkpoint, s the root of the mean square
/// of a weight's gradients in the training, as its optimizer remembers it, and m the mean of s over
/// all weights:
///     w += -rate g / (c (s + m)) + min(decay s / m, 1) (w0 - w)
/// where c = sqrt(tokens of a step of the training / tokens of the segment): a gradient is noisier
/// by that much. So a rate means the same whatever batches the model was trained with. Where the
/// optimizer remembers no squares (SGD, or no step was done): w += -rate g + decay (w0 - w). What
/// the training kept frozen stays as it is.
class DynamicEvaluation {
 public:
  /// `model` has a gradient, and the checkpoint's weights; it must outlive this. UsageError,
  /// io's errors.
  DynamicEvaluation(worker::LanguageModel& model, const io::CheckpointReader& checkpoint,
                    const DynamicOptions& options);

  /// The sum of the losses of a segment (nats), by the model as it is before it learns from it.
  /// Moves `state` on. AgreedError with kDiverged when the loss is no longer a number.
  double Score(const worker::TokenBatch& segment, worker::RecurrentState& state);

 private:
  worker::LanguageModel& model_;
  const DynamicOptions options_;
  double tokens_of_step_ = 0.0;
  int frozen_ = -1;                // the parameter that is, or none
  std::vector<float> start_;       // w0
  std::vector<float> deviations_;  // s / m; empty where the optimizer has no squares
  double mean_ = 0.0;              // m
};

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_LANGUAGE_MODEL_DYNAMIC_EVALUATION_H_
