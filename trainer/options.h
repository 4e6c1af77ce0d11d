#ifndef LOCKSTEP_TRAINER_OPTIONS_H_
#define LOCKSTEP_TRAINER_OPTIONS_H_

#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <CLI/CLI.hpp>

#include "io/text/vocabulary.h"
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

/// Checks of numbers and names: what is wrong, or nothing.
inline std::string CheckPositive(const std::string& given) {
  double number = 0.0;
  return CLI::detail::lexical_cast(given, number) && number > 0.0
             ? ""
             : given + " is not allowed: it must be above 0";
}
inline std::string CheckNotNegative(const std::string& given) {
  double number = 0.0;
  return CLI::detail::lexical_cast(given, number) && number >= 0.0
             ? ""
             : given + " is not allowed: it must be 0 or above";
}
/// Of a file that is named by a variable of a script, say.
inline std::string CheckNotEmpty(const std::string& given) {
  return given.empty() ? "the name is empty" : "";
}

inline void AddInvalid(CLI::App* app, bool& replace) {
  AddChoice<bool>(app, "--invalid", replace, {{"error", false}, {"replace", true}}, "error",
                  "A wrong byte is an error, or is replaced by U+FFFD");
}

inline void AddProgress(CLI::App* app, Console::Mode& mode) {
  AddChoice<Console::Mode>(app, "--progress", mode,
                           {{"auto", Console::Mode::kAuto},
                            {"live", Console::Mode::kLive},
                            {"plain", Console::Mode::kPlain}},
                           "auto",
                           "live (one line, written over), plain (a line at intervals) or auto");
}

/// What a token may be, of imports.
inline const std::vector<std::pair<std::string, std::optional<io::TokenKind>>> kTokenKinds = {
    {"char", io::TokenKind::kChar},
    {"byte", io::TokenKind::kByte},
    {"word", io::TokenKind::kWord},
    {"whitespace", io::TokenKind::kWhitespace},
    {"bpe", io::TokenKind::kSubword}};

inline void AddTokenKind(CLI::App* app, const std::string& option,
                         std::optional<io::TokenKind>& kind, const std::string& standard,
                         const std::string& description) {
  AddChoice<std::optional<io::TokenKind>>(app, option, kind, kTokenKinds, standard, description);
}

inline constexpr char kTokenKindsExplained[] =
    "What a token is: char (Unicode code point), byte, word (ICU's boundaries), whitespace (what "
    "stands between white space, for text that is tokenised already), or bpe (pieces of words, by "
    "byte pair encoding)";

/// For bpe: the files of merges, and how many.
template <class ImportOptions>
void AddMerges(CLI::App* app, ImportOptions& options) {
  app->add_option("--merges", options.merges,
                  "For bpe: how many merges to learn on the training split, 10,000 by default; of "
                  "--codes, how many to take, by default all")
      ->type_name("N")
      ->check(CheckPositive);
  app->add_option("--codes", options.codes,
                  "For bpe: take the merges of this codes file of subword-nmt")
      ->type_name("FILE")
      ->check(CheckNotEmpty);
  app->add_option("--write-codes", options.write_codes,
                  "For bpe: write the merges as a codes file of subword-nmt")
      ->type_name("FILE")
      ->check(CheckNotEmpty);
}

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_OPTIONS_H_
