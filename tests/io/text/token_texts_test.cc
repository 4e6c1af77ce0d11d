#include "io/text/token_texts.h"

#include <memory>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/errors.h"
#include "io/text/subwords.h"

namespace lockstep::io {
namespace {

using ::testing::ElementsAre;

// One text for each id that Encode gives.
std::vector<std::string> Texts(const Vocabulary& vocabulary, const std::string& text) {
  std::vector<std::string> texts = TokenTexts(vocabulary, text);
  EXPECT_EQ(texts.size(), vocabulary.Encode(text).size()) << text;
  return texts;
}

TEST(TokenTextsTest, OfEveryKind) {
  const auto of = [](TokenKind kind, std::vector<std::string> tokens) {
    return Vocabulary(kind, std::move(tokens), 0, "nfc");
  };
  EXPECT_THAT(Texts(of(TokenKind::kChar, {"<unk>", "a"}), "aé b"), ElementsAre("a", "é", " ", "b"));
  EXPECT_THAT(Texts(of(TokenKind::kByte, {"<unk>", "a"}), "aé"), ElementsAre("a", "\xC3", "\xA9"));
  EXPECT_THAT(Texts(of(TokenKind::kWord, {"<unk>", "cat"}), "cat, Ngaio.\n"),
              ElementsAre("cat", ",", "Ngaio", ".", "\n"));
  EXPECT_THAT(Texts(of(TokenKind::kWhitespace, {"<unk>", "cat"}), " cat,  Ngaio\n"),
              ElementsAre("cat,", "Ngaio"));
}

TEST(TokenTextsTest, OfPiecesOfWords) {
  const auto merges =
      std::make_shared<const Subwords>(std::vector<Subwords::Merge>{{"l", "o"}, {"lo", "w</w>"}});
  const Vocabulary vocabulary(TokenKind::kSubword, {"<unk>", "lo@@", "low", "\n"}, 0, "none", false,
                              3, merges);
  EXPECT_THAT(Texts(vocabulary, "low lox x@@\n"),
              ElementsAre("low", "lo", "x", "x", "@", "@", "\n"));
}

TEST(TokenTextsTest, AsTheyAreNormalised) {
  EXPECT_THAT(Texts(Vocabulary(TokenKind::kWord, {"<unk>"}, 0, "nfc", true), "CAFE\u0301 Olé"),
              ElementsAre("café", "olé"));
}

TEST(TokenTextsTest, WhatIsNotUtf8IsRefused) {
  EXPECT_THROW(TokenTexts(Vocabulary(TokenKind::kWord, {"<unk>"}, 0), "a\xFF"), InputError);
}

}  // namespace
}  // namespace lockstep::io
