#include "trainer/data/split_sequences.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <utility>

#include "trainer/data/items.h"

namespace lockstep::trainer {
namespace {

uint32_t LengthOf(const io::SequenceDataset& dataset, uint64_t example) {
  uint32_t length = 1;
  for (int i = 0; i < std::ssize(dataset.fields()); ++i) {
    if (dataset.fields()[i].kind == io::SequenceField::Kind::kTokens) {
      length = std::max(length, dataset.Length(i, example));
    }
  }
  return length;
}

}  // namespace

SplitSequences::Examples SplitSequences::Take(const io::SequenceDataset& dataset,
                                              const std::string& split, int64_t most) {
  const io::Split& range = dataset.split(split);
  Examples examples;
  for (uint64_t i = range.begin; i < range.end; ++i) {
    examples.numbers.push_back(i);
    examples.lengths.push_back(LengthOf(dataset, i));
  }
  double tokens = 0.0;
  for (const uint32_t length : examples.lengths) tokens += length;
  if (most <= 0 || tokens <= static_cast<double>(most)) return examples;
  const auto count = static_cast<double>(range.size());
  const ItemSample sample(
      static_cast<int64_t>(range.size()),
      std::max<int64_t>(1, std::llround(count * static_cast<double>(most) / tokens)));
  Examples taken;
  for (int64_t i = 0; i < sample.count(); ++i) {
    taken.numbers.push_back(examples.numbers[sample.At(i)]);
    taken.lengths.push_back(examples.lengths[sample.At(i)]);
  }
  return taken;
}

SplitSequences::SplitSequences(Examples examples, int64_t items, int64_t tokens)
    : examples_(std::move(examples)), batches_(examples_.lengths, items, tokens) {}

SplitSequences::SplitSequences(const io::SequenceDataset& dataset, const std::string& split,
                               int64_t items, int64_t tokens, int64_t most)
    : SplitSequences(Take(dataset, split, most), items, tokens) {}

int64_t SplitSequences::tokens() const {
  return std::accumulate(examples_.lengths.begin(), examples_.lengths.end(), int64_t{0});
}

int64_t SplitSequences::longest() const {
  return examples_.lengths.empty() ? 0 : std::ranges::max(examples_.lengths);
}

double SplitSequences::PaddingShare() const {
  double places = 0.0;
  for (int64_t i = 0; i < batches_.batches(); ++i) {
    const std::vector<int64_t> batch = batches_.Ordered(i);
    uint32_t longest = 0;
    for (const int64_t sequence : batch) longest = std::max(longest, examples_.lengths[sequence]);
    places += static_cast<double>(longest) * static_cast<double>(batch.size());
  }
  return places > 0.0 ? 1.0 - static_cast<double>(tokens()) / places : 0.0;
}

SplitSequences::Part SplitSequences::PartOfRank(const std::vector<int64_t>& batch, int rank,
                                                int ranks) const {
  std::vector<uint32_t> lengths;
  lengths.reserve(batch.size());
  for (const int64_t sequence : batch) lengths.push_back(examples_.lengths[sequence]);
  Part part;
  part.lanes = LanesByLength(lengths, rank, ranks);
  for (const int64_t lane : part.lanes) part.examples.push_back(examples_.numbers[batch[lane]]);
  return part;
}

Sequences ReadSequences(const io::SequenceDataset& dataset, const char* name,
                        std::span<const uint64_t> examples) {
  const int field = dataset.Find(name);
  Sequences sequences;
  sequences.reserve(examples.size());
  for (const uint64_t example : examples) {
    sequences.emplace_back(dataset.Length(field, example));
    dataset.ReadIds(field, example, sequences.back());
  }
  return sequences;
}

}  // namespace lockstep::trainer
