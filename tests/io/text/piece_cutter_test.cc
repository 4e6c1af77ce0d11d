#include "io/text/piece_cutter.h"

#include <random>
#include <vector>

#include <gmock/gmock.h>

namespace lockstep::io {
namespace {

using testing::ElementsAre;

/// The pieces of a text that may be cut before each '|', fed in parts of `part_units`.
std::vector<std::u16string> Cut(std::u16string_view text, size_t most_units, size_t part_units) {
  std::vector<std::u16string> pieces;
  PieceCutter cutter(
      most_units, [](std::u16string_view t, size_t at) { return t[at] == u'|'; },
      [&](std::u16string_view piece) { pieces.emplace_back(piece); });
  for (size_t at = 0; at < text.size(); at += part_units) {
    cutter.Feed(text.substr(at, part_units));
  }
  cutter.Finish();
  return pieces;
}

TEST(PieceCutterTest, CutsAtTheLastSafePlace) {
  EXPECT_THAT(Cut(u"a|b|cd|e", 5, 100), ElementsAre(u"a|b", u"|cd|e"));
  EXPECT_THAT(Cut(u"a|cd|efg", 4, 100), ElementsAre(u"a|cd", u"|efg"));
  EXPECT_THAT(Cut(u"ab|cd", 5, 100), ElementsAre(u"ab|cd"));
}

TEST(PieceCutterTest, CutsBlindlyWhereNoPlaceIsSafe) {
  EXPECT_THAT(Cut(u"a|bcdefghi|j", 4, 100), ElementsAre(u"a", u"|bcd", u"efgh", u"i|j"));
}

TEST(PieceCutterTest, NeverCutsThroughASurrogatePair) {
  EXPECT_THAT(Cut(u"abc\U0001F600def", 4, 1), ElementsAre(u"abc", u"\U0001F600de", u"f"));
  EXPECT_THAT(Cut(u"abcd\U0001F600", 4, 1), ElementsAre(u"abcd", u"\U0001F600"));
}

TEST(PieceCutterTest, TheCodePointBehindACutIsKnown) {
  std::vector<std::u16string> pieces;
  PieceCutter cutter(
      4, [](std::u16string_view text, size_t at) { return text.substr(at, 2) == u"\U0001F600"; },
      [&](std::u16string_view piece) { pieces.emplace_back(piece); });
  for (const char16_t unit : std::u16string_view(u"a\U0001F600b\U0001F600")) {
    cutter.Feed({&unit, 1});
  }
  cutter.Finish();
  EXPECT_THAT(pieces, ElementsAre(u"a\U0001F600b", u"\U0001F600"));
}

TEST(PieceCutterTest, PiecesDoNotDependOnTheParts) {
  std::mt19937 random(5);
  for (int round = 0; round < 200; ++round) {
    std::u16string text;
    while (text.size() < 300) {
      switch (random() % 12) {
        case 0:
          text += u"|";
          break;
        case 1:
          text += u"\U0001F600";
          break;
        case 2:
          text += static_cast<char16_t>(0xD800 + random() % 0x800);
          break;
        default:
          text += static_cast<char16_t>('a' + random() % 26);
      }
    }
    const auto whole = Cut(text, 10, text.size());
    std::u16string joined;
    for (const auto& piece : whole) {
      EXPECT_LE(piece.size(), 10u);
      joined += piece;
    }
    EXPECT_EQ(joined, text);
    for (const size_t part_units : {1, 2, 3, 7, 11, 64}) {
      EXPECT_EQ(Cut(text, 10, part_units), whole);
    }
  }
}

}  // namespace
}  // namespace lockstep::io
