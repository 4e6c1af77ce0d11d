#ifndef LOCKSTEP_TESTS_TRAINER_RUN_SMALL_TASK_H_
#define LOCKSTEP_TESTS_TRAINER_RUN_SMALL_TASK_H_

#include <memory>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "trainer/tasks/task.h"
#include "worker/models/language_model.h"

namespace lockstep::trainer {

/// A task without data, for tests of what goes on around tasks: it has parameters, a state and two
/// metrics, and counts beans.
class SmallTask : public Task {
 public:
  explicit SmallTask(const worker::LanguageModelOptions& options)
      : model_(std::make_unique<worker::LanguageModel>(options)) {}

  const std::filesystem::path& data_path() const override { return path_; }
  const std::string& fingerprint() const override { return fingerprint_; }
  void PrepareTraining() override {}
  int64_t batches() const override { return 1; }
  const char* unit() const override { return "beans"; }
  std::string DescribeData() const override { return ""; }
  std::string DescribeModel() const override { return ""; }
  ModelSize Size() const override { return {}; }
  void Allocate(worker::Pass) override {}
  worker::Model& model() const override { return *model_; }
  double Read(const BatchPlace&) override { return 0.0; }
  double Forward(const BatchPlace&, worker::RecurrentState&) override { return 0.0; }
  const std::vector<MetricFacts>& metrics() const override { return metrics_; }
  bool CanMeasure(const std::string&) const override { return false; }
  std::unique_ptr<Measurement> Measure(const std::string&, int64_t, bool) override {
    return nullptr;
  }
  std::string DescribeLoss(double loss) const override {
    return fmt::format("twice that is {:.2f}", 2.0 * loss);
  }
  double HopelessLoss(double) const override { return 1e9; }
  const char* prediction_command() const override { return "count"; }
  void Store(io::CheckpointHeader&) const override {}
  void Adopt(const io::CheckpointHeader&, const std::string&) override {}

 private:
  const std::unique_ptr<worker::LanguageModel> model_;
  const std::filesystem::path path_ = "beans.h5";
  const std::string fingerprint_ = "beans";
  const std::vector<MetricFacts> metrics_ = {{"loss", false}, {"accuracy", true}};
};

/// The model of most tests: two layers of four units.
inline worker::LanguageModelOptions SmallModel(worker::Cell cell = worker::Cell::kLstm,
                                               int64_t cell_size = 0) {
  worker::LanguageModelOptions options;
  options.vocabulary_size = 7;
  options.embedding_size = 3;
  options.cell = cell;
  options.layers = 2;
  options.hidden_size = 4;
  options.cell_size = cell_size;
  return options;
}

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TESTS_TRAINER_RUN_SMALL_TASK_H_
