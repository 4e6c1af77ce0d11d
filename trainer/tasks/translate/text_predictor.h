#ifndef LOCKSTEP_TRAINER_TASKS_TRANSLATE_TEXT_PREDICTOR_H_
#define LOCKSTEP_TRAINER_TASKS_TRANSLATE_TEXT_PREDICTOR_H_

#include <memory>
#include <string>
#include <vector>

#include "io/checkpoints/checkpoint.h"
#include "proto/run_config.h"
#include "trainer/tasks/prediction.h"
#include "trainer/tasks/translate/caption_cells.h"
#include "trainer/tasks/translate/translate_facts.h"
#include "worker/models/encoder_decoder.h"

namespace lockstep::trainer {

/// Texts for lines: translations of them, or captions of the cells that stand in them
/// (CaptionCells). With nbest > 1 "LINE NUMBER TAB TEXT TAB SCORE", the best first; a text's own
/// line feeds are spaces. JSON: "text", "log_probability", "score", "tokens", with attention
/// "attended" (for each token the place, from 0, of the source token that it looked at most);
/// "texts" with nbest > 1. Of a line without a token: nothing.
class TextPredictor : public Predictor {
 public:
  TextPredictor(const io::CheckpointReader& checkpoint, const proto::RunConfig& config,
                const PredictionOptions& options);

  std::vector<std::string> Answer(std::span<const InputLine> lines) override;

 private:
  /// What a line asks for.
  struct Source {
    std::vector<int32_t> tokens;
    std::vector<std::string> surfaces;  // of the tokens, as they stand in the line
    std::vector<float> vector;
    bool empty() const { return tokens.empty() && vector.empty(); }
  };
  Source Read(const InputLine& line) const;
  std::string TextOfHypothesis(const Source& source, const worker::Hypothesis& hypothesis) const;
  std::string Lines(const InputLine& line, const Source& source,
                    const std::vector<worker::Hypothesis>& found) const;
  std::string Json(const Source& source, const std::vector<worker::Hypothesis>& found) const;

  const PredictionOptions options_;
  const TranslateFacts facts_;
  const CaptionCells cells_;
  const worker::SearchOptions search_;
  const std::unique_ptr<worker::EncoderDecoder> model_;
};

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_TRANSLATE_TEXT_PREDICTOR_H_
