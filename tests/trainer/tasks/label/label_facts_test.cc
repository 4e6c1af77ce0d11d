#include "trainer/tasks/label/label_facts.h"

#include <array>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/io/temporary_folder.h"
#include "trainer/exit_status.h"
#include "trainer/tasks/label/label_batch.h"

namespace lockstep::trainer {
namespace {

using ::testing::ElementsAre;
using ::testing::FloatEq;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

/// Four texts of one to three letters with a label and a tag for each letter; three are to train
/// on.
class LabelFactsTest : public testing::Test {
 protected:
  LabelFactsTest() {
    using Kind = io::SequenceField::Kind;
    io::SequenceDatasetWriter writer(
        path_, io::SequenceForm::kTags,
        {{"text", Kind::kTokens, io::Vocabulary(io::TokenKind::kChar, {"a", "b", "c"}, {}), {}},
         {"tags", Kind::kTags, {}, {"O", "B-x"}},
         {"label", Kind::kCategory, {}, {"no", "yes", "never"}}});
    Append(writer, {0, 1, 2}, {0, 1, 1}, 1);
    Append(writer, {2}, {0}, 0);
    Append(writer, {1, 1}, {1, 0}, 1);
    Append(writer, {0}, {0}, 2);
    writer.Publish(std::array<uint64_t, 3>{3, 3, 4}, {});
  }

  static void Append(io::SequenceDatasetWriter& writer, const std::vector<uint32_t>& text,
                     const std::vector<uint32_t>& tags, uint32_t label) {
    const std::array<uint32_t, 1> labels = {label};
    const std::array<io::SequenceValue, 3> example = {
        io::SequenceValue{text, {}}, io::SequenceValue{tags, {}}, io::SequenceValue{labels, {}}};
    writer.Append(example);
  }

  proto::RunConfig Config(const std::string& task) const {
    return proto::ParseRunConfig("data { path: \"" + path_.string() + "\" } task { " + task + " }",
                                 "a test");
  }
  LabelFacts Facts(const std::string& task) const { return FactsOf(dataset(), Config(task)); }
  io::SequenceDataset dataset() const { return io::SequenceDataset::Open(path_); }

  std::string ErrorOf(const std::string& task) const {
    try {
      Facts(task);
    } catch (const UsageError& error) {
      return error.what();
    }
    return "";
  }

  const io::TemporaryFolder folder_;
  const std::filesystem::path path_ = folder_ / "texts.h5";
};

TEST_F(LabelFactsTest, AreThoseOfTheTask) {
  const LabelFacts classify = Facts("classify { }");
  EXPECT_THAT(classify.labels, ElementsAre("no", "yes", "never"));
  EXPECT_THAT(classify.tags, IsEmpty());
  const LabelFacts both = Facts("tag { }");
  EXPECT_THAT(both.labels, ElementsAre("no", "yes", "never"));
  EXPECT_THAT(both.tags, ElementsAre("O", "B-x"));
  EXPECT_THAT(both.label_weights, IsEmpty());
  EXPECT_THAT(Facts("tag { label_weight: 3 }").label_weights, ElementsAre(3.0f, 3.0f, 3.0f));
  EXPECT_THAT(Facts("tag { label: false }").labels, IsEmpty());
}

TEST_F(LabelFactsTest, BalancedWeightsCountEachLabelOfTheTrainingSplitAlike) {
  // no once, yes twice, never not at all among three texts.
  EXPECT_THAT(Facts("classify { label_weights: 'balanced' }").label_weights,
              ElementsAre(FloatEq(1.5f), FloatEq(0.75f), FloatEq(1.0f)));
}

TEST_F(LabelFactsTest, WeightsByName) {
  EXPECT_THAT(Facts("classify { label_weights: 'never=2.5,no=0' }").label_weights,
              ElementsAre(0.0f, 1.0f, 2.5f));
  EXPECT_THAT(
      ErrorOf("classify { label_weights: 'maybe=1' }"),
      HasSubstr("names \"maybe\", which is no label of the dataset. It has: no, yes, never"));
  for (const std::string wrong : {"no", "no=", "no=-1", "no=1x", "no=inf", "no=1,,yes=1"}) {
    EXPECT_THAT(ErrorOf("classify { label_weights: '" + wrong + "' }"), HasSubstr("allowed:"))
        << wrong;
  }
}

TEST_F(LabelFactsTest, ComeBackFromACheckpoint) {
  const LabelFacts facts = Facts("classify { label_weights: 'never=0.3' }");
  io::CheckpointHeader header;
  StoreFacts(facts, header);
  const LabelFacts back = LoadFacts(header, "a test");
  EXPECT_EQ(back.vocabulary, facts.vocabulary);
  EXPECT_EQ(back.labels, facts.labels);
  EXPECT_EQ(back.tags, facts.tags);
  EXPECT_EQ(back.label_weights, facts.label_weights);
  header.facts = "{}";
  EXPECT_THROW(LoadFacts(header, "a test"), UsageError);
}

TEST_F(LabelFactsTest, ABatchHasTheRowsOfItsTexts) {
  const io::SequenceDataset texts = dataset();
  const LabelFacts facts = Facts("tag { }");
  LabelBatch batch;
  const std::vector<uint64_t> examples = {0, 2, 1};
  batch.Read(texts, facts, examples);
  EXPECT_EQ(batch.steps().rows(), 6);
  const worker::LabelBatch view = batch.view();
  EXPECT_THAT(std::vector<int32_t>(view.tokens, view.tokens + 6), ElementsAre(0, 1, 2, 1, 1, 2));
  EXPECT_THAT(batch.tags(), ElementsAre(0, 1, 0, 1, 0, 1));
  EXPECT_THAT(batch.labels(), ElementsAre(1, 1, 0));
  EXPECT_EQ(batch.Weight(facts), 9.0);
  const LabelFacts weighted = Facts("classify { label_weights: 'no=0.5' }");
  batch.Read(texts, weighted, examples);
  EXPECT_EQ(batch.Weight(weighted), 2.5);
  EXPECT_EQ(batch.view().tags, nullptr);
}

}  // namespace
}  // namespace lockstep::trainer
