#ifndef LOCKSTEP_TRAINER_TASKS_LABEL_LABEL_TASK_H_
#define LOCKSTEP_TRAINER_TASKS_LABEL_LABEL_TASK_H_

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "io/datasets/sequence_dataset.h"
#include "trainer/data/split_sequences.h"
#include "trainer/data/unknown_singletons.h"
#include "trainer/tasks/label/label_batch.h"
#include "trainer/tasks/label/label_facts.h"
#include "trainer/tasks/task.h"
#include "worker/models/sequence_labeler.h"

namespace lockstep::trainer {

/// A label for each text, a tag for each of its tokens, or both: the tasks classify and tag. What
/// they count are answers: a label or a tag.
class LabelTask : public Task {
 public:
  LabelTask(const proto::RunConfig& config, const RankPlace& place);

  const std::filesystem::path& data_path() const override { return dataset_.path(); }
  const std::string& fingerprint() const override { return dataset_.fingerprint(); }
  void PrepareTraining() override;
  int64_t batches() const override { return sequences_->batches().batches(); }
  const char* unit() const override { return facts_.tags.empty() ? "texts" : "answers"; }
  std::string DescribeData() const override;

  std::string DescribeModel() const override;
  ModelSize Size() const override;
  void Allocate(worker::Pass pass) override;
  worker::Model& model() const override { return *model_; }
  double Read(const BatchPlace& place) override;
  double Forward(const BatchPlace& place, worker::RecurrentState& state) override;
  void Backward(const worker::GradientReady& ready) override;

  const std::vector<MetricFacts>& metrics() const override { return metrics_; }
  bool CanMeasure(const std::string& split) const override;
  std::unique_ptr<Measurement> Measure(const std::string& split, int64_t most, bool full) override;
  std::string DescribeLoss(double) const override { return ""; }
  double HopelessLoss(double first_loss) const override;

  const char* prediction_command() const override { return "predict"; }
  void Store(io::CheckpointHeader& header) const override { StoreFacts(facts_, header); }
  void Adopt(const io::CheckpointHeader& header, const std::string& origin) override;

 private:
  std::vector<Embedding> embeddings() const override;
  bool freezes_pretrained() const override { return config_.model().freeze_pretrained(); }

  const proto::RunConfig config_;
  const RankPlace place_;
  const io::SequenceDataset dataset_;
  LabelFacts facts_;
  const std::vector<MetricFacts> metrics_;
  std::optional<SplitSequences> sequences_;  // of the split to train on
  UnknownSingletons singletons_;
  std::unique_ptr<worker::SequenceLabeler> model_;
  LabelBatch batch_;
  std::vector<int64_t> lanes_;  // of batch_
};

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_LABEL_LABEL_TASK_H_
