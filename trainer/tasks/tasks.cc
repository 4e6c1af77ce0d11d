#include <stdexcept>

#include "trainer/tasks/forecast/forecast_task.h"
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
  switch (config.task().kind_case()) {
    case proto::Task::kLanguageModel:
    case proto::Task::KIND_NOT_SET:
      return std::make_unique<LanguageModelTask>(config, place);
    case proto::Task::kForecast:
      return std::make_unique<ForecastTask>(config, place);
  }
  throw std::logic_error("a task of the schema has no implementation");
}

std::vector<std::string> AllTasks() {
  const auto* kinds = proto::Task::descriptor()->FindOneofByName("kind");
  std::vector<std::string> names;
  for (int i = 0; i < kinds->field_count(); ++i) names.emplace_back(kinds->field(i)->name());
  return names;
}

}  // namespace lockstep::trainer
