#include "trainer/tasks/translate/translate_batch.h"

#include <array>
#include <set>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/trainer/tasks/translate/pair_dataset.h"

namespace lockstep::trainer {
namespace {

using ::testing::ElementsAre;
using Ids = std::vector<int32_t>;

Ids Row(const worker::PackedSteps& steps, int64_t item, const int32_t* rows) {
  return Unpack<int32_t>(steps, item, std::span(rows, static_cast<size_t>(steps.rows())));
}

// Sources and targets are sorted each by themselves; source_of says what belongs together.
TEST(TranslateBatchTest, PairsStayTogether) {
  const PairDatasets files;
  const io::SequenceDataset dataset = files.Pairs(
      {{{0}, {0, 1, 2}}, {{1, 2, 3}, {1}}, {{2, 2}, {2, 2}}, {{3, 3}, {0, 0}}, {{3}, {2}}});
  const TranslateFacts facts = TranslateFacts::Of(dataset, files.Config("translate { }"));
  TranslateBatch batch;
  const std::array<uint64_t, 4> examples = {1, 3, 0, 2};
  batch.Read(dataset, facts, examples);
  EXPECT_FALSE(batch.empty());
  EXPECT_EQ(batch.weight(), 3.0 + 1.0 + 2.0 + 2.0 + 4.0);  // an end each
  EXPECT_THAT(batch.sources().texts, ElementsAre(Ids{1, 2, 3}, Ids{3, 3}, Ids{0}, Ids{2, 2}));
  EXPECT_THAT(batch.targets(), ElementsAre(Ids{1}, Ids{0, 0}, Ids{0, 1, 2}, Ids{2, 2}));
  EXPECT_THAT(batch.order(), ElementsAre(2, 1, 3, 0));

  const worker::PairBatch view = batch.view();
  EXPECT_EQ(view.source_vectors, nullptr);
  const std::vector<Ids> sources = {{0}, {3, 3}, {2, 2}, {1, 2, 3}};  // of the targets' items
  const std::vector<Ids> targets = {{0, 1, 2}, {0, 0}, {2, 2}, {1}};
  constexpr int32_t kEnd = 3;
  for (int64_t item = 0; item < 4; ++item) {
    EXPECT_EQ(Row(view.source, view.source_of[item], view.source_tokens), sources[item]);
    Ids inputs = targets[item], outputs = targets[item];
    inputs.insert(inputs.begin(), kEnd);
    outputs.push_back(kEnd);
    EXPECT_EQ(Row(view.target, item, view.inputs), inputs);
    EXPECT_EQ(Row(view.target, item, view.targets), outputs);
  }
}

TEST(TranslateBatchTest, VectorsStandAsTheirTexts) {
  const PairDatasets files;
  const io::SequenceDataset dataset = files.Captions(
      {{{1, 10}, {0}}, {{5, 10}, {0, 1}}, {{5, 30}, {0, 1, 2}}, {{1, 30}, {1}}, {{0, 0}, {2}}});
  const TranslateFacts facts = TranslateFacts::Of(dataset, files.Config("caption { }"));
  TranslateBatch batch;
  const std::array<uint64_t, 3> examples = {0, 1, 2};
  batch.Read(dataset, facts, examples);
  EXPECT_THAT(batch.order(), ElementsAre(2, 1, 0));
  EXPECT_THAT(batch.sources().vectors,
              ElementsAre(ElementsAre(-1, -1), ElementsAre(1, -1), ElementsAre(1, 1)));
  const worker::PairBatch view = batch.view();
  EXPECT_EQ(view.source_tokens, nullptr);
  EXPECT_THAT(std::vector<float>(view.source_vectors, view.source_vectors + 6),
              ElementsAre(1, 1, 1, -1, -1, -1));
  EXPECT_EQ(view.source.items(), 3);
  EXPECT_THAT(std::vector<int64_t>(view.source_of, view.source_of + 3), ElementsAre(0, 1, 2));
}

// A rank may have none.
TEST(TranslateBatchTest, NothingIsABatch) {
  const PairDatasets files;
  const io::SequenceDataset dataset = files.Pairs({{{0}, {0}}, {{1}, {1}}});
  const TranslateFacts facts = TranslateFacts::Of(dataset, files.Config("translate { }"));
  TranslateBatch batch;
  batch.Read(dataset, facts, std::array<uint64_t, 2>{0, 1});
  batch.Read(dataset, facts, {});
  EXPECT_TRUE(batch.empty());
  EXPECT_EQ(batch.weight(), 0.0);
}

}  // namespace
}  // namespace lockstep::trainer
