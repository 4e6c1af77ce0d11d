#ifndef LOCKSTEP_TRAINER_TASKS_TRANSLATE_TRANSLATE_TASK_H_
#define LOCKSTEP_TRAINER_TASKS_TRANSLATE_TRANSLATE_TASK_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/datasets/sequence_dataset.h"
#include "trainer/data/split_sequences.h"
#include "trainer/tasks/task.h"
#include "trainer/tasks/translate/translate_batch.h"
#include "trainer/tasks/translate/translate_facts.h"
#include "trainer/tasks/translate/translate_measurement.h"
#include "worker/models/encoder_decoder.h"

namespace lockstep::trainer {

/// A text for each text or vector, of its own length: the tasks translate and caption. What they
/// count are tokens of targets, with their ends.
class TranslateTask : public Task {
 public:
  TranslateTask(const proto::RunConfig& config, const RankPlace& place);

  const std::filesystem::path& data_path() const override { return dataset_.path(); }
  const std::string& fingerprint() const override { return dataset_.fingerprint(); }
  void PrepareTraining() override;
  int64_t batches() const override { return sequences_->batches().batches(); }
  const char* unit() const override { return "tokens"; }
  std::string DescribeData() const override;

  std::string DescribeModel() const override;
  ModelSize Size() const override;
  void Allocate(worker::Pass pass) override;
  worker::Model& model() const override { return *model_; }
  double Read(const BatchPlace& place) override;
  double Forward(const BatchPlace& place, worker::RecurrentState& state) override;
  void Backward(const worker::GradientReady& ready) override;

  const std::vector<MetricFacts>& metrics() const override {
    return TranslateMeasurement::Metrics();
  }
  bool CanMeasure(const std::string& split) const override;
  std::unique_ptr<Measurement> Measure(const std::string& split, int64_t most, bool full) override;
  /// The metrics say more than the loss.
  std::string DescribeLoss(double) const override { return ""; }
  double HopelessLoss(double first_loss) const override;

  const char* prediction_command() const override { return "predict"; }
  void Store(io::CheckpointHeader& header) const override { facts_.Store(header); }
  void Adopt(const io::CheckpointHeader& header, const std::string& origin) override;

 private:
  std::vector<Embedding> embeddings() const override;
  bool freezes_pretrained() const override { return config_.model().freeze_pretrained(); }
  double Sampling(const BatchPlace& place) const;

  const proto::RunConfig config_;
  const RankPlace place_;
  const io::SequenceDataset dataset_;
  TranslateFacts facts_;
  std::optional<SplitSequences> sequences_;  // of the split to train on
  std::unique_ptr<worker::EncoderDecoder> model_;
  TranslateBatch batch_;
  std::vector<int64_t> lanes_;  // of the items of batch_
};

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_TRANSLATE_TRANSLATE_TASK_H_
