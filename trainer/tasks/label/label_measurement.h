#ifndef LOCKSTEP_TRAINER_TASKS_LABEL_LABEL_MEASUREMENT_H_
#define LOCKSTEP_TRAINER_TASKS_LABEL_LABEL_MEASUREMENT_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "io/datasets/sequence_dataset.h"
#include "trainer/data/split_sequences.h"
#include "trainer/tasks/label/label_batch.h"
#include "trainer/tasks/label/label_facts.h"
#include "trainer/tasks/task.h"
#include "trainer/tasks/text_metrics/classification.h"
#include "trainer/tasks/text_metrics/span_f1.h"
#include "worker/models/sequence_labeler.h"

namespace lockstep::trainer {

/// Measures a classifier or tagger on the texts of a split: its loss, and its answers.
class LabelMeasurement : public Measurement {
 public:
  /// With `full` it counts which label was taken for which, too. `model`, `dataset` and `facts`
  /// must outlive this.
  LabelMeasurement(worker::SequenceLabeler& model, const io::SequenceDataset& dataset,
                   const LabelFacts& facts, SplitSequences sequences, const RankPlace& place,
                   bool full);

  /// In the order of the values that Finish gives.
  static std::vector<MetricFacts> MetricsOf(const LabelFacts& facts);

  int64_t batches() const override { return sequences_.batches().batches(); }
  size_t sums() const override;
  void Batch(int64_t batch, worker::RecurrentState& state, std::span<double> sums) override;
  std::vector<double> Finish(std::span<const double> sums) const override;
  double Weight(std::span<const double> sums) const override { return sums[kWeight]; }
  nlohmann::ordered_json Json(std::span<const double> sums) const override;
  std::string Sentence(std::span<const double> sums) const override;

 private:
  enum Sum { kLoss, kWeight, kTexts, kRightTexts, kFixedSums };

  bool has_labels() const { return !facts_.labels.empty(); }
  bool has_tags() const { return !facts_.tags.empty(); }
  ClassificationCounts NewClasses() const;
  ClassScores Classes(std::span<const double> sums) const;
  SpanScores Spans(std::span<const double> sums) const;
  /// Of an item, counted into `classes` and `spans`; whether all of it is right.
  bool Count(int64_t item, const worker::LabelOutput& output, ClassificationCounts& classes,
             SpanF1& spans) const;

  worker::SequenceLabeler& model_;
  const io::SequenceDataset& dataset_;
  const LabelFacts& facts_;
  const SplitSequences sequences_;
  const RankPlace place_;
  const bool confusion_;
  LabelBatch batch_;
};

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_LABEL_LABEL_MEASUREMENT_H_
