#ifndef LOCKSTEP_TESTS_TRAINER_SMALL_RUN_H_
#define LOCKSTEP_TESTS_TRAINER_SMALL_RUN_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "tests/io/temporary_folder.h"
#include "tests/io/whole_checkpoint.h"
#include "tests/trainer/program.h"
#include "tests/trainer/task_cases.h"

namespace lockstep::trainer {

/// Overrides of the run configuration, as --set takes them.
using Settings = std::vector<std::string>;

/// A temporary folder with the small dataset of a task, corpus.h5 (of the language model about
/// 7,500 characters), and a run configuration, run.textproto: two layers of 24, dropout, 10 lanes
/// (x 12 time steps), 60 steps (more than an epoch), evaluation every 20 steps, a checkpoint
/// every 10. What every test of the whole program starts from. A test changes it with Settings.
class SmallRun {
 public:
  explicit SmallRun(const TaskCase& task = LanguageModelCase());

  const std::filesystem::path& folder() const { return folder_.path(); }
  std::filesystem::path operator/(const std::string& name) const { return folder_ / name; }
  void Write(const std::string& name, const std::string& text) const { folder_.Write(name, text); }

  /// `lockstep ARGUMENTS...` in the folder.
  Launch Command(std::vector<std::string> arguments, int ranks = 0) const;

  /// `lockstep train run.textproto --set training.folder=NAME --set ...`, its run folder being
  /// NAME.
  Launch Train(const std::string& name, int ranks = 0, const Settings& settings = {}) const;

  /// Runs that, and fails the test unless it exits with 0.
  void TrainToTheEnd(const std::string& name, int ranks = 0, const Settings& settings = {}) const;

  /// Imports a text (or what else the importer takes) as a dataset of this name; none where the
  /// importer's flags name files.
  Outcome Import(const std::string& text, const std::string& dataset,
                 const std::vector<std::string>& flags = {},
                 const std::vector<std::string>& importer = {"text"}) const;

  /// The lines of a run's metrics.jsonl that are complete.
  std::vector<nlohmann::json> Metrics(const std::string& name) const;
  /// The step of the last line, 0 when there is none; quicker than Metrics.
  int64_t LastStep(const std::string& name) const;

  std::filesystem::path CheckpointPath(const std::string& name, int64_t step) const;
  std::filesystem::path BestPath(const std::string& name) const;

 private:
  io::TemporaryFolder folder_;
  Settings settings_;
};

/// Makes the steps of a SmallRun take several milliseconds, so that a signal comes between two.
Settings SlowSteps();

Settings operator+(Settings left, const Settings& right);

/// Fails unless two runs' metrics hold the steps 1..steps, each exactly once, with the same bits in
/// everything but the speed.
void ExpectSameMetrics(const std::vector<nlohmann::json>& a, const std::vector<nlohmann::json>& b,
                       int64_t steps);

/// Fails unless the losses of all steps (and of all evaluations) agree to `tolerance`, relative.
void ExpectLossesNear(const std::vector<nlohmann::json>& a, const std::vector<nlohmann::json>& b,
                      int64_t steps, double tolerance);

/// Fails unless all tensors have the same bits and all counters and measures but the speed are the
/// same.
void ExpectSameCheckpoints(const std::filesystem::path& a, const std::filesystem::path& b);

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TESTS_TRAINER_SMALL_RUN_H_
