#include "io/text/text_segmenter.h"

#include <algorithm>
#include <iterator>
#include <memory>
#include <random>
#include <stdexcept>
#include <utility>

#include <gmock/gmock.h>
#include <unicode/brkiter.h>
#include <unicode/uchar.h>
#include <unicode/unistr.h>
#include <unicode/utf16.h>

#include "tests/io/text/collected_tokens.h"

namespace lockstep::io {
namespace {

using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::IsEmpty;

CollectedTokens Segment(TokenKind kind, std::u16string_view text, size_t part_units = 1 << 20,
                        const std::string& normalization = "none", bool lowercase = false) {
  CollectedTokens tokens;
  TextSegmenter segmenter(kind, normalization, lowercase, &tokens);
  for (size_t at = 0; at < text.size(); at += part_units) {
    segmenter.Feed(text.substr(at, part_units));
  }
  segmenter.Finish();
  return tokens;
}

std::vector<std::string> Words(std::u16string_view text) {
  return Segment(TokenKind::kWord, text).words;
}

TEST(TextSegmenterTest, CharactersAreCodePointsAndNothingIsChanged) {
  for (const size_t part_units : {1, 2, 100}) {
    EXPECT_THAT(Segment(TokenKind::kChar, u"A\r\n\u4E2D\U0001F600e\u0301", part_units).units,
                ElementsAre('A', '\r', '\n', 0x4E2D, 0x1F600, 'e', 0x301));
  }
}

TEST(TextSegmenterTest, LoneSurrogatesBecomeTheReplacementCharacter) {
  const std::u16string text = {u'a', 0xD83D, u'b', 0xDE00, 0xD83D, 0xD83D};
  for (const size_t part_units : {1, 2, 3, 100}) {
    EXPECT_THAT(Segment(TokenKind::kChar, text, part_units).units,
                ElementsAre('a', 0xFFFD, 'b', 0xFFFD, 0xFFFD, 0xFFFD));
  }
}

TEST(TextSegmenterTest, BytesAreUtf8OrAsTheyStand) {
  EXPECT_THAT(Segment(TokenKind::kByte, u"\u00E9\U0001F600", 1).units,
              ElementsAre(0xC3, 0xA9, 0xF0, 0x9F, 0x98, 0x80));
  CollectedTokens tokens;
  TextSegmenter segmenter(TokenKind::kByte, "none", false, &tokens);
  segmenter.FeedBytes("\xFF\x80z");
  EXPECT_THAT(tokens.units, ElementsAre(0xFF, 0x80, 'z'));
}

TEST(TextSegmenterTest, WordsDropWhiteSpaceButKeepLineFeeds) {
  EXPECT_THAT(Words(u"Don't stop, 3.14  times!\n\n"),
              ElementsAre("Don't", "stop", ",", "3.14", "times", "!", "\n", "\n"));
  EXPECT_THAT(Words(u"a\r\nb\rc\td\u00A0e\u2028f"),
              ElementsAre("a", "\n", "b", "c", "d", "e", "f"));
  EXPECT_THAT(Words(u" \t\r"), IsEmpty());
  EXPECT_THAT(Words(u""), IsEmpty());
}

TEST(TextSegmenterTest, ChineseIsSegmentedByTheDictionary) {
  EXPECT_THAT(Words(u"循环神经网络很擅长处理序列数据"),
              ElementsAre("循环", "神经", "网络", "很", "擅长", "处理", "序列", "数据"));
  EXPECT_THAT(Words(u"你好，世界。"), ElementsAre("你好", "，", "世界", "。"));
}

TEST(TextSegmenterTest, NormalisationAndLowerCaseComeFirst) {
  EXPECT_THAT(Segment(TokenKind::kWord, u"CAFE\u0301 \uFF21", 1, "nfkc", true).words,
              ElementsAre("caf\xC3\xA9", "a"));
}

TEST(TextSegmenterTest, TextsDoNotRunTogether) {
  CollectedTokens tokens;
  TextSegmenter segmenter(TokenKind::kWord, "none", false, &tokens);
  segmenter.Feed(u"one");
  segmenter.Finish();
  segmenter.Feed(u"two");
  segmenter.Finish();
  EXPECT_THAT(tokens.words, ElementsAre("one", "two"));
}

/// Text with everything that word boundaries look at, without a line feed when `line_feeds` is
/// false.
std::u16string Noise(uint32_t seed, size_t units, bool line_feeds) {
  const std::u16string_view alphabet[] = {
      u"a",      u"Word",   u"7",          u"_",          u"'",          u"\"",      u".",
      u",",      u":",      u";",          u" ",          u"  ",         u"\t",      u"-",
      u"/",      u"(",      u")",          u"<",          u">",          u"=",       u"+",
      u"*",      u"|",      u"!",          u"?",          u"[",          u"]",       u"{",
      u"}",      u"\u0301", u"\u00AD",     u"\u200D",     u"\u200B",     u"\uFE0F",  u"\u20E3",
      u"\u3000", u"\u3001", u"\u3002",     u"\uFF01",     u"\uFF1F",     u"\uFF0C",  u"神经网络",
      u"中",     u"カタ",   u"ひらがな",   u"\uFF9E",     u"한국어",     u"ภาษาไทย", u"ភាសា",
      u"א",      u"\u05F4", u"\U0001F600", u"\U0001F3FB", u"\U0001F1E9", u"\u00A0",  u"\r",
      u"\u2028", u"\u0085", u"\u1680",     u"\u2003",     u"$",          u"#"};
  std::mt19937 random(seed);
  std::u16string text;
  while (text.size() < units) {
    const uint32_t pick = random() % (std::size(alphabet) + 4);
    if (pick < std::size(alphabet)) {
      text += alphabet[pick];
    } else if (line_feeds) {
      text += random() % 2 == 0 ? u"\n" : u"\r\n";
    }
  }
  return text;
}

TEST(TextSegmenterTest, WordsDoNotDependOnTheParts) {
  for (const bool line_feeds : {true, false}) {
    const std::u16string text = Noise(1, 150000, line_feeds);
    const auto whole = Segment(TokenKind::kWord, text).words;
    for (const size_t part_units : {1, 17, 4096, 40000}) {
      EXPECT_TRUE(Segment(TokenKind::kWord, text, part_units).words == whole) << part_units;
    }
  }
}

// Cut every few words, the words are those that ICU finds in the whole text at once.
TEST(TextSegmenterTest, TheCutsOfLongTextsChangeNoWord) {
  UErrorCode status = U_ZERO_ERROR;
  const std::unique_ptr<icu::BreakIterator> icu_words(
      icu::BreakIterator::createWordInstance(icu::Locale::getRoot(), status));
  ASSERT_TRUE(U_SUCCESS(status));
  for (uint32_t seed = 0; seed < 20; ++seed) {
    const std::u16string noise = Noise(seed, 40000, seed % 2 == 0);
    const icu::UnicodeString text(noise.data(), static_cast<int32_t>(noise.size()));
    std::vector<std::string> expected;
    icu_words->setText(text);
    int32_t begin = icu_words->first();
    for (int32_t end = icu_words->next(); end != icu::BreakIterator::DONE;
         end = icu_words->next()) {
      const icu::UnicodeString segment = text.tempSubStringBetween(begin, end);
      begin = end;
      std::string utf8;
      segment.toUTF8String(utf8);
      if (segment.indexOf(u'\n') >= 0) utf8.assign(1, '\n');
      int32_t at = 0;
      while (at < segment.length() && u_isUWhiteSpace(segment.char32At(at))) {
        at = segment.moveIndex32(at, 1);
      }
      if (utf8 == "\n" || at < segment.length()) expected.push_back(utf8);
    }
    CollectedTokens tokens;
    TextSegmenter segmenter(TokenKind::kWord, "none", false, &tokens, 150);
    segmenter.Feed(noise);
    segmenter.Finish();
    const auto [word, other] =
        std::mismatch(tokens.words.begin(), tokens.words.end(), expected.begin(), expected.end());
    EXPECT_TRUE(word == tokens.words.end()) << "seed " << seed << ": \"" << *word << "\"";
    EXPECT_TRUE(other == expected.end()) << "seed " << seed << ": not \"" << *other << "\"";
  }
}

/// Runs between white space, code point by code point: all that Unicode calls so, or the space and
/// line ends alone.
std::vector<std::string> PlainRuns(std::u16string_view text, bool all_white_space) {
  std::vector<std::string> runs;
  icu::UnicodeString run;
  const auto end = [&] {
    if (!run.isEmpty()) run.toUTF8String(runs.emplace_back());
    run.remove();
  };
  for (size_t i = 0; i < text.size();) {
    UChar32 c = 0;
    U16_NEXT(text.data(), i, text.size(), c);
    const bool separates = c == u' ' || c == u'\r' || c == u'\n';
    if (separates || (all_white_space && u_isUWhiteSpace(c))) {
      end();
      if (c == u'\n') runs.emplace_back("\n");
    } else {
      run.append(U_IS_SURROGATE(c) ? UChar32{0xFFFD} : c);
    }
  }
  end();
  return runs;
}

void ExpectPlainRuns(const std::u16string& text) {
  for (const TokenKind kind : {TokenKind::kWhitespace, TokenKind::kSubword}) {
    const auto expected = PlainRuns(text, kind == TokenKind::kWhitespace);
    const auto runs = Segment(kind, text).words;
    const auto [run, other] =
        std::mismatch(runs.begin(), runs.end(), expected.begin(), expected.end());
    EXPECT_TRUE(run == runs.end()) << "\"" << *run << "\" behind " << run - runs.begin();
    EXPECT_TRUE(other == expected.end()) << "not \"" << *other << "\"";
  }
}

TEST(TextSegmenterTest, RunsEndAtTheWhiteSpaceOfUnicode) {
  std::u16string text;
  for (UChar32 c = 0; c <= 0x10FFFF; ++c) {  // each at another place of a block
    char16_t units[U16_MAX_LENGTH];
    size_t length = 0;
    U16_APPEND_UNSAFE(units, length, c);
    text += u'a';
    text.append(units, length);
    text += u"b\n";
  }
  ExpectPlainRuns(text);
}

TEST(TextSegmenterTest, RunsOfAnyLengthsAndPlaces) {
  for (uint32_t seed = 0; seed < 10; ++seed) ExpectPlainRuns(Noise(seed, 3000, true));
  for (size_t length = 0; length < 200; ++length) {
    const std::u16string run(length, u'x'), umlauts(length, u'\u00E4');
    ExpectPlainRuns(run + u" y" + run + u"\n");
    ExpectPlainRuns(umlauts + run + u"\u2003" + umlauts);
    ExpectPlainRuns(run + std::u16string(1, 0xD83D) + u" " + run + u"\U0001F600");
  }
}

TEST(TextSegmenterTest, AnEndlessWordIsCutAtTheBound) {
  const std::u16string text(100000, u'x');
  std::vector<std::string> expected(3, std::string(32768, 'x'));
  expected.emplace_back(100000 - 3 * 32768, 'x');
  for (const size_t part_units : {1000, 100000}) {
    EXPECT_TRUE(Segment(TokenKind::kWord, text, part_units).words == expected);
  }
}

/// Refuses the first words.
class RefusesOnce : public TokenSink {
 public:
  void TakeUnits(std::span<const uint32_t>) override {}
  void TakeWords(std::span<const std::string_view> words) override {
    if (std::exchange(refuses_, false)) throw std::runtime_error("refused");
    taken.insert(taken.end(), words.begin(), words.end());
  }
  std::vector<std::string> taken;

 private:
  bool refuses_ = true;
};

TEST(TextSegmenterTest, WhatASinkRefusedDoesNotComeTwice) {
  for (const TokenKind kind : {TokenKind::kWord, TokenKind::kWhitespace}) {
    RefusesOnce sink;
    TextSegmenter segmenter(kind, "none", false, &sink);
    segmenter.Feed(u"some words");
    EXPECT_THROW(segmenter.Finish(), std::runtime_error);
    segmenter.Feed(u" others");  // the piece is still there
    segmenter.Finish();
    EXPECT_THAT(sink.taken, ElementsAre("some", "words", "others"));
  }
}

}  // namespace
}  // namespace lockstep::io
