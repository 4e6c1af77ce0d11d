#include "trainer/tasks/translate/target_text.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace lockstep::trainer {
namespace {

const io::Vocabulary& Words() {
  static const io::Vocabulary words(io::TokenKind::kWord, {"<unk>", "cat", "sat", "."}, 0);
  return words;
}

TEST(TargetTextTest, IsWhatAReaderExpects) {
  EXPECT_EQ(TextOf(Words(), std::vector<int32_t>{1, 2, 3}), "cat sat.");
  EXPECT_EQ(TextOf(Words(), std::vector<int32_t>{0, 2}), "<unk> sat");
  EXPECT_EQ(TextOf(Words(), {}), "");
}

TEST(TargetTextTest, UnknownWordsAreWhatTheCallerSays) {
  const auto place = [](size_t i) { return "word" + std::to_string(i); };
  EXPECT_EQ(TextOf(Words(), std::vector<int32_t>{0, 2, 0, 3}, place), "word0 sat word2.");
  const io::Vocabulary letters(io::TokenKind::kChar, {"a", "b"}, {});
  EXPECT_EQ(TextOf(letters, std::vector<int32_t>{0, 1, 0}, place), "aba");
}

}  // namespace
}  // namespace lockstep::trainer
