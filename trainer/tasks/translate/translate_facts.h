#ifndef LOCKSTEP_TRAINER_TASKS_TRANSLATE_TRANSLATE_FACTS_H_
#define LOCKSTEP_TRAINER_TASKS_TRANSLATE_TRANSLATE_FACTS_H_

#include <optional>
#include <span>
#include <string>
#include <vector>

#include "io/checkpoints/checkpoint.h"
#include "io/datasets/sequence_dataset.h"
#include "io/text/vocabulary.h"
#include "proto/run_config.h"
#include "worker/models/encoder_decoder.h"

namespace lockstep::trainer {

/// What the numbers mean that a translator or a captioner takes and gives.
struct TranslateFacts {
  /// A number of the vector that a text is written from; the model sees (x - mean) / deviation.
  struct Number {
    std::string name;
    double mean = 0.0, deviation = 1.0;  ///< over the examples to train on
  };

  std::optional<io::Vocabulary> source;  ///< of translators
  std::vector<Number> vector;            ///< of captioners
  io::Vocabulary target;

  bool is_caption() const { return !source; }
  /// As the model sees it, in place: [vector.size()].
  void Scale(std::span<float> numbers) const;

  /// Of a dataset, for the configuration's task. UsageError where the dataset is for another one;
  /// io's errors.
  static TranslateFacts Of(const io::SequenceDataset& dataset, const proto::RunConfig& config);

  /// As a checkpoint keeps them, and back. UsageError where it has none; `origin` names it.
  void Store(io::CheckpointHeader& header) const;
  static TranslateFacts Load(const io::CheckpointHeader& header, const std::string& origin);
};

/// The model for them.
worker::EncoderDecoderOptions ModelOptions(const proto::RunConfig& config,
                                           const TranslateFacts& facts);

/// How evaluations look for targets.
worker::SearchOptions SearchOptionsOf(const proto::Task& task);

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_TRANSLATE_TRANSLATE_FACTS_H_
