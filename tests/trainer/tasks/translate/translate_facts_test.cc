#include "trainer/tasks/translate/translate_facts.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/trainer/tasks/translate/pair_dataset.h"
#include "trainer/exit_status.h"

namespace lockstep::trainer {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;

class TranslateFactsTest : public testing::Test {
 protected:
  io::SequenceDataset Pairs() const {
    return files_.Pairs({{{0, 1}, {2}}, {{3}, {0, 0}}, {{1}, {1}}});
  }
  io::SequenceDataset Captions() const {
    return files_.Captions({{{1, 7}, {0}}, {{5, 7}, {1, 2}}, {{100, -100}, {2}}});
  }
  std::string ErrorOf(const io::SequenceDataset& dataset, const std::string& task) const {
    try {
      TranslateFacts::Of(dataset, files_.Config(task));
    } catch (const UsageError& error) {
      return error.what();
    }
    return "";
  }

  const PairDatasets files_;
};

io::CheckpointHeader Stored(const TranslateFacts& facts) {
  io::CheckpointHeader header;
  facts.Store(header);
  return header;
}

TEST_F(TranslateFactsTest, OfPairsAreTwoVocabularies) {
  const TranslateFacts facts = TranslateFacts::Of(Pairs(), files_.Config("translate { }"));
  EXPECT_FALSE(facts.is_caption());
  EXPECT_EQ(facts.source->size(), 4u);
  EXPECT_EQ(facts.target.size(), 3u);
  const TranslateFacts read = TranslateFacts::Load(Stored(facts), "a.h5");
  EXPECT_TRUE(read.source == facts.source);
  EXPECT_TRUE(read.target == facts.target);
}

TEST_F(TranslateFactsTest, OfCaptionsAreTheScalesOfTheDataset) {
  const TranslateFacts facts = TranslateFacts::Of(Captions(), files_.Config("caption { }"));
  EXPECT_TRUE(facts.is_caption());
  std::vector<float> numbers = {7, 30};
  facts.Scale(numbers);
  EXPECT_THAT(numbers, testing::ElementsAre(2.0f, 1.0f));
  const TranslateFacts read = TranslateFacts::Load(Stored(facts), "a.h5");
  ASSERT_EQ(read.vector.size(), 2u);
  EXPECT_EQ(read.vector[0].name, "size");
  EXPECT_EQ(read.vector[0].mean, 3.0);
  EXPECT_EQ(read.vector[0].deviation, 2.0);
  EXPECT_EQ(read.vector[1].name, "weight");
  EXPECT_EQ(read.vector[1].mean, 20.0);
  EXPECT_EQ(read.vector[1].deviation, 10.0);
  EXPECT_TRUE(read.target == facts.target);
  EXPECT_FALSE(read.source.has_value());
}

TEST_F(TranslateFactsTest, ADatasetForAnotherTaskIsRefused) {
  EXPECT_THAT(ErrorOf(Pairs(), "caption { }"),
              AllOf(HasSubstr("pairs.h5: is a dataset of pairs"), HasSubstr("import captions")));
  EXPECT_THAT(ErrorOf(Captions(), "translate { }"),
              AllOf(HasSubstr("is a dataset of captions"), HasSubstr("import pairs")));
}

TEST_F(TranslateFactsTest, ACheckpointOfAnotherTaskIsRefused) {
  const TranslateFacts facts = TranslateFacts::Of(Pairs(), files_.Config("translate { }"));
  io::CheckpointHeader no_source = Stored(facts), no_target = no_source, other = no_source;
  no_source.vocabularies.clear();
  no_target.vocabulary.reset();
  other.facts = "{\"labels\": []}";
  for (const auto& header : {no_source, no_target, other, io::CheckpointHeader()}) {
    EXPECT_THROW(TranslateFacts::Load(header, "a.h5"), UsageError);
  }
}

TEST_F(TranslateFactsTest, TheModelIsThatOfTheConfiguration) {
  const TranslateFacts pairs = TranslateFacts::Of(Pairs(), files_.Config("translate { }"));
  worker::EncoderDecoderOptions options =
      ModelOptions(files_.Config("translate { conditioning: LUONG label_smoothing: 0.1 }"), pairs);
  EXPECT_EQ(options.source_vocabulary_size, 4);
  EXPECT_EQ(options.source_vector_size, 0);
  EXPECT_EQ(options.target_vocabulary_size, 3);
  EXPECT_EQ(options.conditioning, worker::Conditioning::kLuong);
  EXPECT_TRUE(options.input_feeding);
  EXPECT_EQ(options.label_smoothing, 0.1);
  // The default of input_feeding is that of LUONG only.
  options = ModelOptions(files_.Config("translate { }"), pairs);
  EXPECT_EQ(options.conditioning, worker::Conditioning::kBahdanau);
  EXPECT_FALSE(options.input_feeding);
  const TranslateFacts captions = TranslateFacts::Of(Captions(), files_.Config("caption { }"));
  options = ModelOptions(files_.Config("caption { label_smoothing: 0.2 }"), captions);
  EXPECT_EQ(options.source_vocabulary_size, 0);
  EXPECT_EQ(options.source_vector_size, 2);
  EXPECT_EQ(options.conditioning, worker::Conditioning::kContext);
  EXPECT_EQ(options.label_smoothing, 0.2);
}

TEST_F(TranslateFactsTest, TheSearchIsThatOfTheConfiguration) {
  const std::string search =
      "search { beam: 5 length_penalty: 0.5 most_tokens: 7 most_tokens_a_token: 3 }";
  worker::SearchOptions options =
      SearchOptionsOf(files_.Config("translate { " + search + " }").task());
  EXPECT_EQ(options.beam, 5);
  EXPECT_EQ(options.nbest, 1);
  EXPECT_EQ(options.length_penalty, 0.5);
  EXPECT_EQ(options.length_factor, 3.0);
  EXPECT_EQ(options.length_constant, 7);
  EXPECT_EQ(options.temperature, 0.0);
  options = SearchOptionsOf(files_.Config("caption { " + search + " }").task());
  EXPECT_EQ(options.beam, 5);
  EXPECT_EQ(options.length_factor, 0.0);  // a vector has no length
  EXPECT_EQ(options.length_constant, 7);
}

}  // namespace
}  // namespace lockstep::trainer
