#ifndef LOCKSTEP_TESTS_TRAINER_TASK_CASES_H_
#define LOCKSTEP_TESTS_TRAINER_TASK_CASES_H_

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
  std::string prediction_command;   ///< "sample"
  std::vector<std::string> slow_evaluation;  ///< settings with which an evaluation takes a second
};

/// Of every task of the schema at least one, of a forecaster each decoding. Every test of a promise
/// runs over all of them.
const std::vector<TaskCase>& AllTaskCases();

/// The language model on characters.
const TaskCase& LanguageModelCase();

inline std::ostream& operator<<(std::ostream& out, const TaskCase& one) { return out << one.name; }

/// `words` English words and full stops with spaces between; the same for the same arguments.
std::string EnglishLikeText(int words, uint64_t seed = 1);

/// A table of three series of unequal lengths, two channels, a known covariate, a static category
/// and hourly times: seasons and noise.
std::string SmallPanel();

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TESTS_TRAINER_TASK_CASES_H_
