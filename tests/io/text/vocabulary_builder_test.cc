#include "io/text/vocabulary_builder.h"

#include <gmock/gmock.h>

#include "io/text/token_ids.h"
#include "tests/io/temporary_folder.h"

namespace lockstep::io {
namespace {

using testing::ElementsAre;
using testing::Optional;

Vocabulary BuildChars(const std::vector<uint32_t>& units, uint64_t limit,
                      TokenKind kind = TokenKind::kChar) {
  VocabularyBuilder builder(kind, ".", 4096);
  builder.TakeUnits(units);
  EXPECT_EQ(builder.tokens(), units.size());
  return builder.Build(limit, "none", false);
}

Vocabulary BuildWords(const std::vector<std::string>& words, uint64_t limit) {
  const TemporaryFolder folder;
  VocabularyBuilder builder(TokenKind::kWord, folder.path(), 4096);
  builder.TakeWords(std::vector<std::string_view>(words.begin(), words.end()));
  EXPECT_EQ(builder.tokens(), words.size());
  return builder.Build(limit, "nfc", true);
}

TEST(VocabularyBuilderTest, MostFrequentFirstAndTiesByBytes) {
  const Vocabulary vocabulary =
      BuildChars({'b', 0xE9, 'a', 'b', 0x4E2D, 0x1F600, 'c', 'c', 'c'}, 0);
  EXPECT_THAT(vocabulary.tokens(), ElementsAre("c", "b", "a", "é", "中", "😀"));
  EXPECT_FALSE(vocabulary.unknown().has_value());
}

TEST(VocabularyBuilderTest, ALimitThatCutsMakesRoomForTheUnknown) {
  const std::vector<uint32_t> units = {'c', 'c', 'c', 'b', 'b', 'd', 'a'};
  EXPECT_THAT(BuildChars(units, 4).tokens(), ElementsAre("c", "b", "a", "d"));
  const Vocabulary cut = BuildChars(units, 3);
  EXPECT_THAT(cut.tokens(), ElementsAre("<unk>", "c", "b"));
  EXPECT_THAT(cut.unknown(), Optional(0u));
  EXPECT_THAT(BuildChars(units, 2).tokens(), ElementsAre("<unk>", "c"));
}

TEST(VocabularyBuilderTest, BytesHoldWhatWasSeen) {
  const Vocabulary vocabulary = BuildChars({0xFF, 0x00, 0xFF}, 0, TokenKind::kByte);
  EXPECT_THAT(vocabulary.tokens(), ElementsAre("\xFF", std::string(1, '\0')));
}

TEST(VocabularyBuilderTest, WordsAlwaysHaveTheUnknown) {
  const std::vector<std::string> words = {"b", "a", "c", "c", "\xC3\xA9", "a", "Z"};
  const Vocabulary all = BuildWords(words, 100);
  EXPECT_THAT(all.tokens(), ElementsAre("<unk>", "a", "c", "Z", "b", "é"));
  EXPECT_THAT(all.unknown(), Optional(0u));
  EXPECT_EQ(all.normalization(), "nfc");
  EXPECT_TRUE(all.lowercase());
  EXPECT_THAT(BuildWords(words, 6).tokens(), ElementsAre("<unk>", "a", "c", "Z", "b", "é"));
  EXPECT_THAT(BuildWords(words, 4).tokens(), ElementsAre("<unk>", "a", "c", "Z"));
}

TEST(VocabularyBuilderTest, TheSameWordsThroughTheDisk) {
  std::vector<std::string> words;
  for (int i = 0; i < 5000; ++i) {
    for (int n = 0; n <= i % 7; ++n) words.push_back(std::to_string(i * 7919 % 5000));
  }
  const TemporaryFolder folder;
  VocabularyBuilder memory(TokenKind::kWord, folder.path(), 64 << 20);
  memory.TakeWords(std::vector<std::string_view>(words.begin(), words.end()));
  EXPECT_TRUE(memory.Build(300, "nfc", true) == BuildWords(words, 300));
}

TEST(VocabularyBuilderTest, OverlongWordsStayOut) {
  EXPECT_THAT(BuildWords({std::string(256, 'x'), std::string(257, 'y')}, 10).tokens(),
              ElementsAre("<unk>", std::string(256, 'x')));
}

}  // namespace
}  // namespace lockstep::io
