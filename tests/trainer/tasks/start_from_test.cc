#include "trainer/tasks/start_from.h"

#include <algorithm>
#include <filesystem>
#include <numeric>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/io/temporary_folder.h"
#include "tests/trainer/run/small_task.h"
#include "trainer/exit_status.h"
#include "trainer/run/checkpoint_contents.h"

namespace lockstep::trainer {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

io::Vocabulary Words(std::vector<std::string> tokens, std::optional<uint32_t> unknown = {}) {
  return {io::TokenKind::kWord, std::move(tokens), unknown};
}

TEST(PlacesOfTokensTest, AreThoseOfTheSameTexts) {
  EXPECT_THAT(PlacesOfTokens(Words({"a", "b", "c", "\n"}), Words({"\n", "c", "a"})),
              ElementsAre(2, -1, 1, 0));
  EXPECT_THAT(PlacesOfTokens(Words({"a", "<unk>"}, 1), Words({"<unk>", "a"}, 0)),
              ElementsAre(1, 0));
  EXPECT_THAT(PlacesOfTokens(Words({"a", "<unk>"}, 1), Words({"b", "a"})), ElementsAre(1, -1));
  // One text calls its line end <eos>, another one knows <eos> as a word.
  const auto lines = [](std::vector<std::string> tokens, std::optional<uint32_t> line_end) {
    return io::Vocabulary(io::TokenKind::kWhitespace, std::move(tokens), std::nullopt, "none",
                          false, line_end);
  };
  EXPECT_THAT(PlacesOfTokens(lines({"a", "<eos>"}, 1), lines({"<eos>", "\n", "a"}, 1)),
              ElementsAre(2, 1));
  EXPECT_THAT(PlacesOfTokens(lines({"a", "<eos>"}, 1), lines({"<eos>", "a"}, std::nullopt)),
              ElementsAre(1, -1));
}

// A finished model of the tokens, with other numbers in every element.
class Finished {
 public:
  explicit Finished(const worker::LanguageModelOptions& options, bool averages = false)
      : task_(options),
        replica_(task_, worker::SgdOptions{}, worker::Schedule(0.1, 0, worker::ConstantSchedule{}),
                 {0, 2},
                 averages ? worker::AveragingOptions(worker::ExponentialAveraging{})
                          : worker::AveragingOptions(worker::NoAveraging{})) {
    const auto values = replica_.parameters().values();
    std::iota(values.begin(), values.end(), 1000.0f);
    if (averages) {
      replica_.averaging.Update(values);
      std::ranges::fill(values, -1.0f);
    }
    io::CheckpointHeader header;
    header.vocabulary = Words({"a", "b"});
    StorePosition(replica_, header);
    io::WriteCheckpoint(folder_ / "old.h5", header,
                        ViewTensors(replica_, ViewSlots(replica_.optimizer), replica_.state, {}));
  }

  std::filesystem::path path() const { return folder_ / "old.h5"; }

 private:
  const io::TemporaryFolder folder_;
  SmallTask task_;
  Replica replica_;
};

worker::LanguageModelOptions Of(int64_t vocabulary, int64_t embedding, bool tied = false) {
  worker::LanguageModelOptions options = SmallModel();
  options.vocabulary_size = vocabulary;
  options.embedding_size = embedding;
  options.tie_embedding = tied;
  return options;
}

std::vector<TokenAxis> Axes(int64_t embedding) {
  std::vector<TokenAxis> axes = {
      {"embedding.weight", 0}, {"projection.weight", 0}, {"projection.bias", 0}};
  if (embedding == 0) axes.push_back({"rnn.weight_ih_l0", 1});
  return axes;
}

// Element by element, by PyTorch's names: which token each belongs to is read off its index.
void ExpectMapped(int64_t embedding, bool tied, bool averages) {
  const Finished finished(Of(5, embedding, tied), averages);
  worker::LanguageModel old(Of(5, embedding, tied)), model(Of(4, embedding, tied));
  std::iota(old.parameters().values().begin(), old.parameters().values().end(), 1000.0f);
  std::ranges::fill(model.parameters().values(), 7.0f);
  const std::vector<int64_t> places = {3, -1, 0, 4};
  CopyParameters(io::CheckpointReader(finished.path()), Axes(embedding), places, 5,
                 model.parameters());
  for (const worker::Parameter& parameter : model.parameters().list()) {
    const auto index = static_cast<size_t>(old.parameters().Find(parameter.name));
    const float* from = old.parameters().value(static_cast<int>(index));
    const float* to = model.parameters().values().data() + parameter.offset;
    for (int64_t i = 0; i < parameter.size; ++i) {
      float expected = from[std::min(i, old.parameters().list()[index].size - 1)];
      const int64_t width = parameter.shape.size() > 1 ? parameter.shape[1] : 1;
      if (parameter.shape[0] == 4) {  // a row for each token
        const int64_t place = places[i / width];
        expected = place >= 0 ? from[place * width + i % width] : 7.0f;
      } else if (parameter.shape.size() > 1 && embedding == 0 &&
                 parameter.name == "rnn.weight_ih_l0") {
        const int64_t place = places[i % 4];
        expected = place >= 0 ? from[i / 4 * 5 + place] : 7.0f;
      }
      ASSERT_EQ(to[i], expected) << parameter.name << " " << i;
    }
  }
}

TEST(CopyParametersTest, TakesRowsOfKnownTokensAndAllTheRest) {
  ExpectMapped(3, false, false);
  ExpectMapped(4, true, false);
  ExpectMapped(0, false, false);
}

TEST(CopyParametersTest, TakesTheAveragesWhereThereAreAny) { ExpectMapped(3, false, true); }

template <class Action>
std::string ErrorOf(const Action& action) {
  try {
    action();
  } catch (const UsageError& error) {
    return error.what();
  }
  return "no error";
}

TEST(CopyParametersTest, AnotherModelIsAnErrorThatNamesTheFirstDifferenceAndChangesNothing) {
  const Finished finished(Of(5, 3));
  const io::CheckpointReader reader(finished.path());
  const auto error_of = [&](const worker::LanguageModelOptions& options) {
    worker::LanguageModel model(options);
    const std::string error = ErrorOf([&] {
      CopyParameters(reader, Axes(3), std::vector<int64_t>(4, 0), 5, model.parameters());
    });
    EXPECT_TRUE(std::ranges::all_of(model.parameters().values(), [](float x) { return x == 0; }));
    return error;
  };
  worker::LanguageModelOptions wider = Of(4, 3), deeper = Of(4, 3), flatter = Of(4, 3);
  wider.hidden_size = 6;
  deeper.layers = 3;
  flatter.layers = 1;
  EXPECT_THAT(error_of(wider), AllOf(HasSubstr("old.h5"), HasSubstr("rnn.weight_ih_l0 is [16, 3]"),
                                     HasSubstr("[24, 3]")));
  EXPECT_THAT(error_of(deeper), AllOf(HasSubstr("old.h5"), HasSubstr("no rnn.weight_ih_l2")));
  EXPECT_THAT(error_of(flatter), AllOf(HasSubstr("old.h5"), HasSubstr("holds rnn."),
                                       HasSubstr("_l1, which the model of the configuration")));
}

TEST(CopyParametersTest, OtherTasksNeedTheSameVocabularies) {
  const Finished finished(Of(5, 3));
  const io::CheckpointReader reader(finished.path());
  worker::LanguageModel model(Of(5, 3));
  io::CheckpointHeader here;
  here.vocabulary = Words({"a", "b"});
  CopyParametersOfSameVocabulary(reader, here, model.parameters());
  EXPECT_EQ(model.parameters().values()[2], 1002.0f);
  here.vocabularies["target"] = Words({"x"});
  const auto copy = [&] { CopyParametersOfSameVocabulary(reader, here, model.parameters()); };
  EXPECT_THAT(ErrorOf(copy), AllOf(HasSubstr("old.h5"), HasSubstr("vocabulary")));
  here.vocabularies.clear();
  here.vocabulary = Words({"b", "a"});
  EXPECT_THAT(ErrorOf(copy), AllOf(HasSubstr("old.h5"), HasSubstr("vocabulary")));
}

}  // namespace
}  // namespace lockstep::trainer
