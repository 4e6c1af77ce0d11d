#include "trainer/tasks/label/label_batch.h"

#include "trainer/data/packed_sequences.h"
#include "trainer/data/split_sequences.h"

namespace lockstep::trainer {

void LabelBatch::Read(const io::SequenceDataset& dataset, const LabelFacts& facts,
                      std::span<const uint64_t> examples) {
  const Sequences texts = ReadSequences(dataset, "text", examples);
  steps_ = StepsOf(texts);
  tokens_ = Pack(steps_, texts);
  labels_.clear();
  tags_.clear();
  if (!facts.tags.empty()) tags_ = Pack(steps_, ReadSequences(dataset, "tags", examples));
  if (facts.labels.empty()) return;
  const int field = dataset.Find("label");
  for (const uint64_t example : examples) labels_.push_back(dataset.ReadCategory(field, example));
}

double LabelBatch::Weight(const LabelFacts& facts) const {
  double weight = static_cast<double>(tags_.size());
  for (const int32_t label : labels_) {
    weight += facts.label_weights.empty() ? 1.0 : facts.label_weights[label];
  }
  return weight;
}

worker::LabelBatch LabelBatch::view() const {
  return {steps_, tokens_.data(), labels_.empty() ? nullptr : labels_.data(),
          tags_.empty() ? nullptr : tags_.data()};
}

}  // namespace lockstep::trainer
