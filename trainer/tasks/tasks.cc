#include <algorithm>
#include <stdexcept>
#include <string_view>

#include <fmt/format.h>

#include "io/files/file_format.h"
#include "io/files/seal.h"
#include "trainer/exit_status.h"
#include "trainer/tasks/forecast/forecast_task.h"
#include "trainer/tasks/label/label_task.h"
#include "trainer/tasks/language_model/language_model_task.h"
#include "trainer/tasks/model_options.h"
#include "trainer/tasks/pretrained.h"
#include "trainer/tasks/start_from.h"
#include "trainer/tasks/task.h"
#include "trainer/tasks/translate/translate_task.h"

namespace lockstep::trainer {

ModelSize SizeOf(const worker::Model& empty, int64_t time_steps, int64_t lanes) {
  ModelSize size;
  size.parameters = empty.parameters().size();
  size.working_bytes = empty.WorkingBytes(time_steps, lanes);
  const worker::RecurrentState state = empty.ZeroState(1);
  for (const auto& part : state.parts()) {
    size.state_floats += std::ssize(part.values);
    size.largest_state_floats =
        std::max<int64_t>(size.largest_state_floats, std::ssize(part.values));
  }
  return size;
}

std::vector<std::string> Task::StartFrom(const io::CheckpointReader& checkpoint) {
  io::CheckpointHeader own;
  Store(own);
  CopyParametersOfSameVocabulary(checkpoint, own, parameters());
  return {};
}

std::vector<std::string> Task::LoadPretrained() {
  std::vector<std::string> told;
  for (const Embedding& one : embeddings()) {
    if (one.vectors.empty()) continue;
    told.push_back(one.told_as +
                   FillEmbedding(one.vectors, *one.vocabulary, one.parameter, parameters()));
  }
  return told;
}

std::unique_ptr<Measurement> Task::MeasureDynamically(const io::CheckpointReader& checkpoint,
                                                      const DynamicOptions&, const std::string&,
                                                      int64_t) {
  throw UsageError(
      fmt::format("{}: only a language model can go on learning while it is measured "
                  "(--dynamic).",
                  checkpoint.path().string()));
}

const worker::Parameter* Task::leading_embedding() const {
  const std::vector<Embedding> all = embeddings();
  if (all.empty() || all.front().parameter != 0) return nullptr;
  return &parameters().list().front();
}

std::vector<int> Task::frozen() const {
  std::vector<int> indices;
  if (!freezes_pretrained()) return indices;
  for (const Embedding& one : embeddings()) {
    if (!one.vectors.empty()) indices.push_back(one.parameter);
  }
  return indices;
}

namespace {

/// Kinds of datasets, and which tasks take them.
struct DatasetKind {
  std::string_view format, name, tasks;
};
constexpr DatasetKind kKinds[] = {
    {io::kDatasetFormat.name, "text", "language_model"},
    {io::kSeriesFormat.name, "series", "forecast"},
    {io::kSequencesFormat.name, "separate texts", "classify, tag, translate or caption"}};

// A dataset of ours that is not of the task's kind.
void RequireKind(const proto::RunConfig& config, const io::FileFormat& wanted) {
  const std::string format = io::PeekSeal(config.data().path()).format;
  if (format == wanted.name) return;
  const auto kind = std::ranges::find(kKinds, format, &DatasetKind::format);
  if (kind == std::end(kKinds)) return;  // the reader says what it is
  const auto* field = proto::Task::descriptor()->FindFieldByNumber(config.task().kind_case());
  throw UsageError(fmt::format(
      "{}: is a dataset of {}; the configuration says task {{ {} {{ }} }}, it takes "
      "task {{ {} {{ }} }}.",
      config.data().path(), kind->name, field ? field->name() : "language_model", kind->tasks));
}

}  // namespace

std::unique_ptr<Task> OpenTask(const proto::RunConfig& config, const RankPlace& place) {
  UsePrecision(config.model());
  switch (config.task().kind_case()) {
    case proto::Task::kLanguageModel:
    case proto::Task::KIND_NOT_SET:
      RequireKind(config, io::kDatasetFormat);
      return std::make_unique<LanguageModelTask>(config, place);
    case proto::Task::kForecast:
      RequireKind(config, io::kSeriesFormat);
      return std::make_unique<ForecastTask>(config, place);
    case proto::Task::kClassify:
    case proto::Task::kTag:
      RequireKind(config, io::kSequencesFormat);
      return std::make_unique<LabelTask>(config, place);
    case proto::Task::kTranslate:
    case proto::Task::kCaption:
      RequireKind(config, io::kSequencesFormat);
      return std::make_unique<TranslateTask>(config, place);
  }
  throw std::logic_error("a task of the schema has no implementation");
}

}  // namespace lockstep::trainer
