#ifndef LOCKSTEP_TESTS_TRAINER_TASK_CASES_H_
#define LOCKSTEP_TESTS_TRAINER_TASK_CASES_H_

#include <map>
#include <ostream>
#include <string>
#include <vector>

namespace lockstep::trainer {

/// What a promise of the program is tested with: a small dataset and the part of a run
/// configuration that makes a task of it.
struct TaskCase {
  std::string name;                 ///< of the test: "forecast_segments"
  std::string task;                 ///< of the configuration: "forecast"
  std::string configuration;        ///< data, model and task; the rest is SmallRun's
  std::string source;               ///< the text or table that is imported
  std::vector<std::string> import;  ///< what imports it: {"text"}, {"series", "--series", "id"}
  /// Files by name that the importer is told of by its flags; then `source` is empty.
  std::map<std::string, std::string> files = {};
  std::string prediction_command = {};  ///< "sample"
  /// Further flags of the importer, of those that say what tokens there are.
  std::vector<std::string> tokens = {};
  /// Settings with which an evaluation takes a second.
  std::vector<std::string> slow_evaluation = {};
  /// Settings of every training, for what SmallRun's part of the configuration has, too.
  std::vector<std::string> settings = {};
};

/// Of every task of the schema at least one, of a forecaster each decoding. Every test of a promise
/// runs over all of them.
const std::vector<TaskCase>& AllTaskCases();

/// The language model on characters.
const TaskCase& LanguageModelCase();

inline std::ostream& operator<<(std::ostream& out, const TaskCase& one) { return out << one.name; }

/// `words` English words and full stops with spaces between; the same for the same arguments.
std::string EnglishLikeText(int words, uint64_t seed = 1);

/// `count` texts of 3 to 20 words in lines, and for each its label and a tag for each word: what
/// comes most often of a few words, and spans of several words.
struct LabelledTexts {
  std::string texts, tags, labels;
};
LabelledTexts SmallLabelledTexts(int count, uint64_t seed = 1);

/// A table of three series of unequal lengths, two channels, a known covariate, a static category
/// and hourly times: seasons and noise.
std::string SmallPanel();

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TESTS_TRAINER_TASK_CASES_H_
