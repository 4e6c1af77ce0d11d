#ifndef LOCKSTEP_TRAINER_TASKS_PREDICTION_H_
#define LOCKSTEP_TRAINER_TASKS_PREDICTION_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "io/text/vocabulary.h"

namespace lockstep::trainer {

/// What `lockstep predict` may be told; what a task does not know is a UsageError where it is set.
struct PredictionOptions {
  bool json = false;                  ///< answers are JSON objects
  std::optional<int> beam;            ///< texts: instead of the configuration's
  int nbest = 1;                      ///< labels, texts: so many, the best first
  bool copy_unknown = false;          ///< unknown words of a translation: copied by attention
  std::optional<double> temperature;  ///< texts: drawn instead of searched for
  uint64_t seed = 1;
};

/// A line of input and its number in it, from 1.
struct InputLine {
  std::string text;  ///< without its end
  int64_t number = 0;
};

/// From a line as it was read: without a carriage return at its end, the first one without a byte
/// order mark; with `replace_invalid`, wrong sequences of UTF-8 are U+FFFD.
InputLine LineOfInput(std::string bytes, int64_t number, bool replace_invalid);

/// Its tokens. UsageError, with the number of the line, where it is not UTF-8 or has a token that
/// the vocabulary does not know and cannot stand for.
std::vector<int32_t> EncodeLine(const io::Vocabulary& vocabulary, const InputLine& line);

/// A trained model that answers lines of text. One thread calls.
class Predictor {
 public:
  virtual ~Predictor() = default;

  /// For each of some lines its answer, one or more lines of text without the last end. They make
  /// one batch: an answer depends on the line (and what is drawn on its number), up to rounding on
  /// what stands beside it. UsageError, with the number of the line, where it cannot be read.
  virtual std::vector<std::string> Answer(std::span<const InputLine> lines) = 0;
};

/// The predictor of a checkpoint's task. UsageError where it predicts with another command, or does
/// not know an option; io's errors.
std::unique_ptr<Predictor> OpenPredictor(const std::filesystem::path& checkpoint,
                                         const PredictionOptions& options);

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_PREDICTION_H_
