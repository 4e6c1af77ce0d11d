#ifndef LOCKSTEP_TRAINER_TASKS_TRANSLATE_TRANSLATE_MEASUREMENT_H_
#define LOCKSTEP_TRAINER_TASKS_TRANSLATE_TRANSLATE_MEASUREMENT_H_

#include <cstdint>
#include <string>
#include <vector>

#include "io/datasets/sequence_dataset.h"
#include "trainer/data/split_sequences.h"
#include "trainer/tasks/task.h"
#include "trainer/tasks/text_metrics/bleu.h"
#include "trainer/tasks/text_metrics/chrf.h"
#include "trainer/tasks/translate/translate_batch.h"
#include "trainer/tasks/translate/translate_facts.h"
#include "worker/models/encoder_decoder.h"

namespace lockstep::trainer {

/// Measures a translator or captioner on the examples of a split: its loss with teacher forcing,
/// then the texts that it finds beside the true ones, both as Vocabulary::Decode writes them. A
/// token that either side does not know is right nowhere: it stands for one word that the other
/// side does not have.
class TranslateMeasurement : public Measurement {
 public:
  /// `model`, `dataset` and `facts` must outlive this.
  TranslateMeasurement(worker::EncoderDecoder& model, const io::SequenceDataset& dataset,
                       const TranslateFacts& facts, SplitSequences sequences,
                       const RankPlace& place, const worker::SearchOptions& search);

  /// loss, perplexity, exact_match (a share), bleu and chrf (0 to 100).
  static const std::vector<MetricFacts>& Metrics();

  int64_t batches() const override { return sequences_.batches().batches(); }
  size_t sums() const override { return kFixedSums + Bleu::kSize + ChrF::kSize; }
  void Batch(int64_t batch, worker::RecurrentState& state, std::span<double> sums) override;
  std::vector<double> Finish(std::span<const double> sums) const override;
  double Weight(std::span<const double> sums) const override { return sums[kTokens]; }
  nlohmann::ordered_json Json(std::span<const double> sums) const override;
  std::string Sentence(std::span<const double> sums) const override;

 private:
  enum Sum { kLoss, kTokens, kRightTokens, kTexts, kRightTexts, kFixedSums };

  void CompareTexts(std::span<double> sums) const;

  worker::EncoderDecoder& model_;
  const io::SequenceDataset& dataset_;
  const TranslateFacts& facts_;
  const SplitSequences sequences_;
  const RankPlace place_;
  const worker::SearchOptions search_;
  TranslateBatch batch_;
};

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_TRANSLATE_TRANSLATE_MEASUREMENT_H_
