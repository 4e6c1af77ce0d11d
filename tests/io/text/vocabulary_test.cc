#include "io/text/vocabulary.h"

#include <gmock/gmock.h>

#include "io/errors.h"

namespace lockstep::io {
namespace {

using namespace std::string_literals;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;
using testing::Optional;
using testing::ThrowsMessage;

std::string Decode(const Vocabulary& vocabulary, const std::vector<uint32_t>& ids) {
  std::string text;
  std::optional<uint32_t> previous;
  for (const uint32_t id : ids) {
    text += vocabulary.Decode(id, previous);
    previous = id;
  }
  return text;
}

/// Ids in the order of first use; every word becomes known.
Vocabulary WordsOf(std::vector<std::string> words) {
  words.insert(words.begin(), "<unk>");
  return Vocabulary(TokenKind::kWord, std::move(words), 0);
}

TEST(VocabularyTest, KindsHaveNames) {
  for (const TokenKind kind : {TokenKind::kChar, TokenKind::kByte, TokenKind::kWord,
                               TokenKind::kWhitespace, TokenKind::kSubword}) {
    EXPECT_THAT(TokenKindFromName(TokenKindName(kind)), Optional(kind));
  }
  EXPECT_EQ(TokenKindName(TokenKind::kByte), "byte");
  EXPECT_FALSE(TokenKindFromName("Char").has_value());
}

TEST(VocabularyTest, FindsTokens) {
  const Vocabulary vocabulary(TokenKind::kChar, {"h", "e", "中"}, std::nullopt);
  EXPECT_EQ(vocabulary.size(), 3u);
  EXPECT_THAT(vocabulary.Find("中"), Optional(2u));
  EXPECT_FALSE(vocabulary.Find("x").has_value());
  EXPECT_FALSE(vocabulary.Find("").has_value());
}

TEST(VocabularyTest, RefusesWhatIsNoVocabulary) {
  EXPECT_THAT(
      [] {
        Vocabulary(TokenKind::kChar, {"a", "b", "a"}, std::nullopt);
      },
      ThrowsMessage<InputError>(HasSubstr("tokens 0 and 2")));
  EXPECT_THAT(
      [] {
        Vocabulary(TokenKind::kChar, {"a", ""}, std::nullopt);
      },
      ThrowsMessage<InputError>(HasSubstr("token 1 is empty")));
  EXPECT_THAT([] { Vocabulary(TokenKind::kChar, {"a"}, 1); },
              ThrowsMessage<InputError>(HasSubstr("1")));
}

TEST(VocabularyTest, CharactersRoundTrip) {
  const Vocabulary vocabulary(TokenKind::kChar, {"h", "é", "中", "😀", "\r", "\n", "\0"s},
                              std::nullopt);
  const std::string text = "é😀中\r\nhh\0"s;
  EXPECT_THAT(vocabulary.Encode(text), ElementsAre(1, 3, 2, 4, 5, 0, 0, 6));
  EXPECT_EQ(Decode(vocabulary, vocabulary.Encode(text)), text);
  EXPECT_THAT(vocabulary.Encode(""), IsEmpty());
}

TEST(VocabularyTest, BytesRoundTripAndNeedNotBeUtf8) {
  const Vocabulary vocabulary(TokenKind::kByte, {"\xFF", "a", "\xC3", "\xA9"}, std::nullopt);
  EXPECT_THAT(vocabulary.Encode("\xFF\xC3\xA9"), ElementsAre(0, 2, 3));
  EXPECT_EQ(Decode(vocabulary, {0, 2, 3, 1}),
            "\xFF\xC3\xA9"
            "a");
}

TEST(VocabularyTest, UnknownTokens) {
  const Vocabulary with(TokenKind::kChar, {"<unk>", "a"}, 0);
  EXPECT_THAT(with.Encode("abé"), ElementsAre(1, 0, 0));
  EXPECT_EQ(Decode(with, {1, 0}), "a<unk>");

  const Vocabulary without(TokenKind::kChar, {"a", "é"}, std::nullopt);
  EXPECT_THAT(
      [&] { without.Encode("aé中"); },
      ThrowsMessage<InputError>(AllOf(HasSubstr("\"中\" (E4 B8 AD)"), HasSubstr("byte 3"))));
  const Vocabulary bytes(TokenKind::kByte, {"a"}, std::nullopt);
  EXPECT_THAT([&] { bytes.Encode("aa\xFE"); },
              ThrowsMessage<InputError>(AllOf(HasSubstr("byte FE"), HasSubstr("byte 2"))));
  const Vocabulary changed(TokenKind::kChar, {"a", "é"}, std::nullopt, "nfc", true);
  EXPECT_THAT(changed.Encode("Ae\u0301"), ElementsAre(0, 1));
  EXPECT_THAT([&] { changed.Encode("e\u0301b"); },
              ThrowsMessage<InputError>(AllOf(HasSubstr("\"b\""), HasSubstr("token 2"))));
}

TEST(VocabularyTest, TextThatIsNotUtf8IsRefused) {
  const Vocabulary vocabulary(TokenKind::kChar, {"<unk>", "a"}, 0);
  EXPECT_THAT([&] { vocabulary.Encode("aa\xFF"); },
              ThrowsMessage<InputError>(AllOf(HasSubstr("byte 2"), HasSubstr("FF"))));
  EXPECT_THAT([&] { vocabulary.Encode("a\xE4\xB8"); },
              ThrowsMessage<InputError>(HasSubstr("byte 1")));
  const Vocabulary lower(TokenKind::kByte, {"a"}, std::nullopt, "none", true);
  EXPECT_THAT(lower.Encode("A"), ElementsAre(0));
  EXPECT_THAT([&] { lower.Encode("\xFF"); }, ThrowsMessage<InputError>(HasSubstr("UTF-8")));
}

TEST(VocabularyTest, WordsRoundTripWithTheirSpaces) {
  const Vocabulary vocabulary =
      WordsOf({"Hello", ",", "world", "!", "\n", "(", "a", ")", "50", "%", "循环", "神经", "。",
               "한국어", "좋아요", "ไทย", "“", "”"});
  for (const char* text : {"Hello, world!\nHello (a world) 50%\n", "循环神经。\n", "Hello循环world",
                           "한국어 좋아요", "“Hello world”, a", "ไทยไทย"}) {
    std::vector<uint32_t> ids = vocabulary.Encode(text);
    EXPECT_EQ(Decode(vocabulary, ids), text);
    EXPECT_THAT(ids, testing::Not(testing::Contains(0u))) << text;
  }
  EXPECT_THAT(vocabulary.Encode("Hello\r\nthere"), ElementsAre(1, 5, 0));
  EXPECT_EQ(Decode(vocabulary, {1, 0, 3}), "Hello <unk> world");
}

TEST(VocabularyTest, DecodeSurvivesTokensThatAreNotUtf8) {
  const Vocabulary vocabulary = WordsOf({"\xFF", "\xE4\xB8", "\x80\x80", "a"});
  EXPECT_EQ(Decode(vocabulary, {1, 2, 3, 4}), "\xFF \xE4\xB8 \x80\x80 a");
}

TEST(VocabularyTest, EqualityCoversEverything) {
  const Vocabulary vocabulary(TokenKind::kChar, {"a", "b"}, std::nullopt);
  EXPECT_TRUE(vocabulary == Vocabulary(TokenKind::kChar, {"a", "b"}, std::nullopt));
  EXPECT_FALSE(vocabulary == Vocabulary(TokenKind::kByte, {"a", "b"}, std::nullopt));
  EXPECT_FALSE(vocabulary == Vocabulary(TokenKind::kChar, {"b", "a"}, std::nullopt));
  EXPECT_FALSE(vocabulary == Vocabulary(TokenKind::kChar, {"a", "b"}, 0));
  EXPECT_FALSE(vocabulary == Vocabulary(TokenKind::kChar, {"a", "b"}, std::nullopt, "nfc"));
  EXPECT_FALSE(vocabulary == Vocabulary(TokenKind::kChar, {"a", "b"}, std::nullopt, "none", true));
}

}  // namespace
}  // namespace lockstep::io
