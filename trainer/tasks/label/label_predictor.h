#ifndef LOCKSTEP_TRAINER_TASKS_LABEL_LABEL_PREDICTOR_H_
#define LOCKSTEP_TRAINER_TASKS_LABEL_LABEL_PREDICTOR_H_

#include <memory>
#include <string>
#include <vector>

#include "io/checkpoints/checkpoint.h"
#include "proto/run_config.h"
#include "trainer/tasks/label/label_facts.h"
#include "trainer/tasks/prediction.h"
#include "worker/models/sequence_labeler.h"

namespace lockstep::trainer {

/// Labels and tags of lines: "LABEL TAB PROBABILITY", "TAG TAG ..." (one for each token), or, of a
/// model of both, one behind the other with a TAB between. With nbest > 1 the labels stand a line
/// each, behind the number of their line. JSON: "label", "probability", "labels"; "tokens", "tags",
/// "probabilities". Of a line without a token: nothing.
class LabelPredictor : public Predictor {
 public:
  LabelPredictor(const io::CheckpointReader& checkpoint, const proto::RunConfig& config,
                 const PredictionOptions& options);

  std::vector<std::string> Answer(std::span<const InputLine> lines) override;

 private:
  /// What a model said of one line.
  struct Found {
    std::vector<float> probabilities;  // [labels]
    std::vector<int32_t> tokens, tags;
    std::vector<float> tag_probabilities;
  };
  std::string Text(const InputLine& line, const Found& found) const;
  std::string Json(const Found& found) const;
  std::vector<int64_t> BestLabels(const std::vector<float>& probabilities) const;

  const PredictionOptions options_;
  const LabelFacts facts_;
  const std::unique_ptr<worker::SequenceLabeler> model_;
};

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_LABEL_LABEL_PREDICTOR_H_
