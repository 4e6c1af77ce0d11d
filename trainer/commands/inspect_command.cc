#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "io/inspect.h"
#include "io/series/table_inspection.h"
#include "trainer/commands/commands.h"
#include "trainer/terminal/output.h"

namespace lockstep::trainer {
namespace {

// "key: value" lines; objects and arrays of objects indent, texts of several lines stand below
// their key.
void PrintReadable(const nlohmann::ordered_json& value, int indent) {
  const std::string margin(indent, ' ');
  for (const auto& [key, item] : value.items()) {
    const bool nested =
        item.is_object() || (item.is_array() && !item.empty() && item[0].is_structured());
    if (nested) {
      Tell(fmt::format("{}{}:\n", margin, key));
      PrintReadable(item, indent + 2);
    } else if (item.is_string() &&
               item.get_ref<const std::string&>().find('\n') != std::string::npos) {
      Tell(fmt::format("{}{}:\n", margin, key));
      std::string line;
      for (const char c : item.get_ref<const std::string&>()) {
        if (c != '\n') {
          line += c;
          continue;
        }
        Tell(fmt::format("{}  {}\n", margin, line));
        line.clear();
      }
    } else {
      Tell(fmt::format("{}{}: {}\n", margin, key,
                       item.is_string()
                           ? item.get<std::string>()
                           : item.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace)));
    }
  }
}

void Print(const nlohmann::ordered_json& description, bool json) {
  if (json) {
    WriteJson(description);
  } else {
    PrintReadable(description, 0);
  }
}

ExitStatus InspectTableFile(const InspectArguments& arguments) {
  io::SeriesImportOptions options = arguments.table;
  options.paths = {arguments.file};
  const nlohmann::ordered_json description = io::InspectTable(options);
  Print(description, arguments.json);
  return description.at("first_problem").is_null() ? kDone : kWrongInput;
}

}  // namespace

ExitStatus Inspect(const InspectArguments& arguments) {
  constexpr uint64_t kSourcesForAPerson = 10;
  if (io::LooksLikeTable(arguments.file)) return InspectTableFile(arguments);
  const nlohmann::ordered_json description = io::InspectFile(
      arguments.file, arguments.json ? io::kMostInspectedSources : kSourcesForAPerson);
  Print(description, arguments.json);
  return description.value("whole", false) ? kDone : kWrongInput;
}

}  // namespace lockstep::trainer
