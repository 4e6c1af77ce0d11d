#include "trainer/tasks/text_metrics/characters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lockstep::trainer {
namespace {

using testing::ElementsAre;

TEST(CharactersTest, CodePointsOfUtf8) {
  EXPECT_EQ(CodePoints("aé循😀"), U"aé循😀");
  EXPECT_EQ(
      CodePoints("\x7F\xC2\x80\xDF\xBF\xE0\xA0\x80\xEF\xBF\xBF\xF0\x90\x80\x80\xF4\x8F\xBF\xBF"),
      std::u32string(U"\x7F\x80\x7FF\x800\xFFFF\x10000\x10FFFF"));
}

// Each byte by itself: a lone continuation, a cut sequence, overlong forms, a surrogate, too high.
TEST(CharactersTest, WhatIsNotUtf8) {
  EXPECT_EQ(CodePoints("\x80").size(), 1u);
  EXPECT_EQ(CodePoints("\xE5\xBE").size(), 2u);
  EXPECT_EQ(CodePoints("\xC0\x80").size(), 2u);
  EXPECT_EQ(CodePoints("\xE0\x80\x80").size(), 3u);
  EXPECT_EQ(CodePoints("\xED\xA0\x80").size(), 3u);
  EXPECT_EQ(CodePoints("\xF4\x90\x80\x80").size(), 4u);
  EXPECT_EQ(CodePoints("\xE5"
                       "a"),
            (std::u32string{0x1100E5, U'a'}));
}

TEST(CharactersTest, WhiteSpaceIsPythons) {
  // [c for c in map(chr, range(sys.maxunicode + 1)) if c.isspace()]
  std::u32string spaces;
  for (char32_t c = 0; c < 0x110000; ++c) {
    if (IsWhiteSpace(c)) spaces += c;
  }
  EXPECT_EQ(spaces,
            U"\t\n\v\f\r\x1c\x1d\x1e\x1f \x85\xa0\u1680\u2000\u2001\u2002\u2003\u2004\u2005\u2006"
            U"\u2007\u2008\u2009\u200a\u2028\u2029\u202f\u205f\u3000");
}

TEST(CharactersTest, Split) {
  EXPECT_THAT(SplitAtWhiteSpace(" a\u3000bé\u00a0\n c"), ElementsAre("a", "bé", "c"));
  EXPECT_THAT(SplitAtWhiteSpace(" \t"), ElementsAre());
  EXPECT_THAT(SplitAtWhiteSpace(""), ElementsAre());
}

}  // namespace
}  // namespace lockstep::trainer
