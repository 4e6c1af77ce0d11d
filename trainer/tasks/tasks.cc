#include <stdexcept>

#include <fmt/format.h>

#include "io/files/file_format.h"
#include "io/files/seal.h"
#include "trainer/exit_status.h"
#include "trainer/tasks/forecast/forecast_task.h"
#include "trainer/tasks/label/label_task.h"
#include "trainer/tasks/language_model/language_model_task.h"
#include "trainer/tasks/task.h"

namespace lockstep::trainer {

ModelSize SizeOf(const worker::Model& empty, int64_t time_steps, int64_t lanes) {
  ModelSize size;
  size.parameters = empty.parameters().size();
  size.working_bytes = empty.WorkingBytes(time_steps, lanes);
  const worker::RecurrentState state = empty.ZeroState(1);
  for (const auto& part : state.parts()) {
    ++size.state_arrays;
    size.state_floats += std::ssize(part.values);
  }
  return size;
}

std::unique_ptr<Task> OpenTask(const proto::RunConfig& config, const RankPlace& place) {
  const std::string& path = config.data().path();
  const bool forecast = config.task().has_forecast();
  const std::string format = io::PeekSeal(path).format;
  if (format == (forecast ? io::kDatasetFormat : io::kSeriesFormat).name) {
    throw UsageError(
        fmt::format("{}: is a dataset of {}; the configuration says task {{ {} {{ }} }}, it "
                    "takes task {{ {} {{ }} }}.",
                    path, forecast ? "text" : "series", forecast ? "forecast" : "language_model",
                    forecast ? "language_model" : "forecast"));
  }
  switch (config.task().kind_case()) {
    case proto::Task::kLanguageModel:
    case proto::Task::KIND_NOT_SET:
      return std::make_unique<LanguageModelTask>(config, place);
    case proto::Task::kForecast:
      return std::make_unique<ForecastTask>(config, place);
    case proto::Task::kClassify:
    case proto::Task::kTag:
      return std::make_unique<LabelTask>(config, place);
    case proto::Task::kTranslate:
    case proto::Task::kCaption:
      break;
  }
  throw std::logic_error("a task of the schema has no implementation");
}

}  // namespace lockstep::trainer
