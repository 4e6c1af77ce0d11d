#ifndef LOCKSTEP_TRAINER_OPTIONS_H_
#define LOCKSTEP_TRAINER_OPTIONS_H_

#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "trainer/terminal/console.h"

namespace lockstep::trainer {

/// An option that takes one of a few names. `value` must outlive the parsing.
template <class T>
void AddChoice(CLI::App* app, const std::string& name, T& value,
               const std::vector<std::pair<std::string, T>>& choices, const std::string& standard,
               const std::string& description) {
  std::vector<std::string> names;
  for (const auto& choice : choices) names.push_back(choice.first);
  app->add_option_function<std::string>(
         name,
         [&value, choices](const std::string& given) {
           for (const auto& [known, meaning] : choices) {
             if (known == given) value = meaning;
           }
         },
         description)
      ->type_name("NAME")
      ->check(CLI::IsMember(names))
      ->default_str(standard);
}

inline void AddProgress(CLI::App* app, Console::Mode& mode) {
  AddChoice<Console::Mode>(app, "--progress", mode,
                           {{"auto", Console::Mode::kAuto},
                            {"live", Console::Mode::kLive},
                            {"plain", Console::Mode::kPlain}},
                           "auto",
                           "live (one line, written over), plain (a line at intervals) or auto");
}

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_OPTIONS_H_
