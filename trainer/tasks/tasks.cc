#include <stdexcept>

#include "trainer/tasks/language_model/language_model_task.h"
#include "trainer/tasks/task.h"

namespace lockstep::trainer {

std::unique_ptr<Task> OpenTask(const proto::RunConfig& config, const RankPlace& place) {
  switch (config.task().kind_case()) {
    case proto::Task::kLanguageModel:
    case proto::Task::KIND_NOT_SET:
      return std::make_unique<LanguageModelTask>(config, place);
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
