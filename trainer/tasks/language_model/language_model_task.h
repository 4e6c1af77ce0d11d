#ifndef LOCKSTEP_TRAINER_TASKS_LANGUAGE_MODEL_LANGUAGE_MODEL_TASK_H_
#define LOCKSTEP_TRAINER_TASKS_LANGUAGE_MODEL_LANGUAGE_MODEL_TASK_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/datasets/dataset.h"
#include "trainer/data/lanes.h"
#include "trainer/tasks/task.h"
#include "worker/models/language_model.h"

namespace lockstep::trainer {

/// A language model on a stream of tokens: lanes with carried state (truncated BPTT), softmax over
/// the vocabulary.
class LanguageModelTask : public Task {
 public:
  LanguageModelTask(const proto::RunConfig& config, const RankPlace& place);

  const std::filesystem::path& data_path() const override { return dataset_.path(); }
  const std::string& fingerprint() const override { return dataset_.fingerprint(); }
  void PrepareTraining() override;
  int64_t batches() const override { return lanes_->layout().batches(); }
  const char* unit() const override { return "tokens"; }
  std::string DescribeData() const override;

  std::string DescribeModel() const override;
  ModelSize Size() const override;
  void Allocate(worker::Pass pass) override;
  worker::Model& model() const override { return *model_; }
  /// Of another vocabulary, too: what belongs to tokens that both know is taken over.
  std::vector<std::string> StartFrom(const io::CheckpointReader& checkpoint) override;
  double Read(const BatchPlace& place) override;
  double RateFactor() const override;
  double Forward(const BatchPlace& place, worker::RecurrentState& state) override;

  const std::vector<MetricFacts>& metrics() const override;
  bool CanMeasure(const std::string& split) const override;
  std::unique_ptr<Measurement> Measure(const std::string& split, int64_t most, bool full) override;
  std::unique_ptr<Measurement> MeasureDynamically(const io::CheckpointReader& checkpoint,
                                                  const DynamicOptions& options,
                                                  const std::string& split, int64_t most) override;
  std::string WriteSample(uint64_t seed) override;
  std::string DescribeLoss(double loss) const override;
  double HopelessLoss(double first_loss) const override;

  const char* prediction_command() const override { return "sample"; }
  void Store(io::CheckpointHeader& header) const override;
  void Adopt(const io::CheckpointHeader& header, const std::string& origin) override;

 private:
  /// The sum of the losses of a batch; moves the state on.
  using ScoreBatch = std::function<double(const worker::TokenBatch&, worker::RecurrentState&)>;

  class TokenMeasurement;
  std::unique_ptr<Measurement> MeasureWith(ScoreBatch score, const std::string& split,
                                           int64_t most) const;
  worker::LanguageModelOptions Options() const;
  std::vector<Embedding> embeddings() const override;
  bool freezes_pretrained() const override { return config_.model().freeze_pretrained(); }

  const proto::RunConfig config_;
  const RankPlace place_;
  const io::Dataset dataset_;
  const LaneRange range_;
  void LayOut(int64_t epoch);
  const std::string& softmax_cutoffs() const {
    return config_.task().language_model().softmax_cutoffs();
  }
  bool varies() const { return config_.task().language_model().vary_time_steps(); }

  std::optional<Lanes> lanes_;  // of the split to train on
  int64_t laid_out_epoch_ = 0;
  std::unique_ptr<worker::LanguageModel> model_;
  worker::TokenBatch batch_;
};

/// As Task::HopelessLoss: 1 more than twice that of a uniform guess or of the first step, whichever
/// is larger. First steps and models that spike come nowhere near it for long.
double HopelessTokenLoss(int64_t vocabulary_size, double first_loss);

/// A loss in the unit that people compare: "2.643 bits/char", "1.91 bits/byte", "perplexity 112.4".
/// `loss` is in nats a token.
std::string DescribeTokenLoss(double loss, io::TokenKind kind);

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_LANGUAGE_MODEL_LANGUAGE_MODEL_TASK_H_
