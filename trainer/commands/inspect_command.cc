#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "io/inspect.h"
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

}  // namespace

ExitStatus Inspect(const InspectArguments& arguments) {
  constexpr uint64_t kSourcesForAPerson = 10;
  const nlohmann::ordered_json description = io::InspectFile(
      arguments.file, arguments.json ? io::kMostInspectedSources : kSourcesForAPerson);
  if (arguments.json) {
    WriteJson(description);
  } else {
    PrintReadable(description, 0);
  }
  return description.value("whole", false) ? kDone : kWrongInput;
}

}  // namespace lockstep::trainer
