#include "trainer/tasks/translate/translate_batch.h"

#include <utility>

#include "trainer/data/split_sequences.h"

namespace lockstep::trainer {
namespace {

std::vector<int64_t> OrderOf(const Sequences& sequences) {
  std::vector<uint32_t> lengths;
  for (const auto& sequence : sequences) lengths.push_back(static_cast<uint32_t>(sequence.size()));
  return LongestFirst(lengths);
}

}  // namespace

void TranslateBatch::Read(const io::SequenceDataset& dataset, const TranslateFacts& facts,
                          std::span<const uint64_t> examples) {
  sources_ = {};
  targets_ = ReadSequences(dataset, facts.is_caption() ? "text" : "target", examples);
  if (facts.is_caption()) {
    const int field = dataset.Find("vector");
    for (const uint64_t example : examples) {
      sources_.vectors.emplace_back(facts.vector.size());
      dataset.ReadVector(field, example, sources_.vectors.back());
      facts.Scale(sources_.vectors.back());
    }
  } else {
    sources_.texts = ReadSequences(dataset, "source", examples);
  }
  order_ = OrderOf(targets_);
  LayOutTargets(static_cast<int32_t>(facts.target.size()));
  LayOutSources(facts);
}

void TranslateBatch::LayOutTargets(int32_t end) {
  Sequences inputs, outputs;
  for (const int64_t i : order_) {
    inputs.push_back(targets_[i]);
    inputs.back().insert(inputs.back().begin(), end);
    outputs.push_back(targets_[i]);
    outputs.back().push_back(end);
  }
  target_steps_ = StepsOf(outputs);
  inputs_ = Pack(target_steps_, inputs);
  outputs_ = Pack(target_steps_, outputs);
}

// Texts by their own lengths; vectors as the targets stand.
void TranslateBatch::LayOutSources(const TranslateFacts& facts) {
  const auto items = std::ssize(targets_);
  const std::vector<int64_t> order = facts.is_caption() ? order_ : OrderOf(sources_.texts);
  std::vector<int64_t> item_of(items);
  for (int64_t item = 0; item < items; ++item) item_of[order[item]] = item;
  source_of_.clear();
  for (const int64_t i : order_) source_of_.push_back(item_of[i]);
  source_tokens_.clear();
  vectors_.clear();
  if (facts.is_caption()) {
    source_steps_ = worker::PackedSteps::Uniform(1, items);
    for (const int64_t i : order) {
      vectors_.insert(vectors_.end(), sources_.vectors[i].begin(), sources_.vectors[i].end());
    }
    return;
  }
  Sequences texts;
  for (const int64_t i : order) texts.push_back(sources_.texts[i]);
  source_steps_ = StepsOf(texts);
  source_tokens_ = Pack(source_steps_, texts);
}

worker::PairBatch TranslateBatch::view() const {
  worker::PairBatch batch;
  batch.source = source_steps_;
  if (!source_tokens_.empty()) batch.source_tokens = source_tokens_.data();
  if (!vectors_.empty()) batch.source_vectors = vectors_.data();
  batch.target = target_steps_;
  batch.inputs = inputs_.data();
  batch.targets = outputs_.data();
  batch.source_of = source_of_.data();
  return batch;
}

}  // namespace lockstep::trainer
