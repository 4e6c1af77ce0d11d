#include <stdexcept>
#include <string_view>
#include <utility>

#include <fmt/format.h>

#include "io/checkpoints/checkpoint.h"
#include "io/errors.h"
#include "io/text/printable.h"
#include "proto/run_config.h"
#include "trainer/exit_status.h"
#include "trainer/tasks/label/label_predictor.h"
#include "trainer/tasks/model_options.h"
#include "trainer/tasks/prediction.h"
#include "trainer/tasks/translate/text_predictor.h"

namespace lockstep::trainer {

InputLine LineOfInput(std::string bytes, int64_t number, bool replace_invalid) {
  constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";
  if (number == 1 && bytes.starts_with(kByteOrderMark)) bytes.erase(0, kByteOrderMark.size());
  if (!bytes.empty() && bytes.back() == '\r') bytes.pop_back();
  if (replace_invalid && !io::IsUtf8(bytes)) bytes = io::Repaired(bytes);
  return {std::move(bytes), number};
}

std::vector<int32_t> EncodeLine(const io::Vocabulary& vocabulary, const InputLine& line) {
  try {
    const std::vector<uint32_t> ids = vocabulary.Encode(line.text);
    return {ids.begin(), ids.end()};
  } catch (const io::InputError& error) {
    throw UsageError(
        fmt::format("standard input, line {}: {}{}", line.number, error.what(),
                    io::IsUtf8(line.text) ? "" : ". --invalid replace lets it pass, as U+FFFD."));
  }
}

std::unique_ptr<Predictor> OpenPredictor(const std::filesystem::path& checkpoint,
                                         const PredictionOptions& options) {
  const io::CheckpointReader reader(checkpoint);
  const proto::RunConfig config =
      proto::ParseRunConfig(reader.header().configuration, checkpoint.string());
  UsePrecision(config.model());
  switch (config.task().kind_case()) {
    case proto::Task::kLanguageModel:
    case proto::Task::KIND_NOT_SET:
      throw UsageError(fmt::format(
          "{}: is of a language model, which writes with `lockstep sample`.", checkpoint.string()));
    case proto::Task::kForecast:
      throw UsageError(fmt::format(
          "{}: is of a forecaster, which predicts with `lockstep forecast`.", checkpoint.string()));
    case proto::Task::kClassify:
    case proto::Task::kTag:
      return std::make_unique<LabelPredictor>(reader, config, options);
    case proto::Task::kTranslate:
    case proto::Task::kCaption:
      return std::make_unique<TextPredictor>(reader, config, options);
  }
  throw std::logic_error("a task of the schema has no implementation");
}

}  // namespace lockstep::trainer
