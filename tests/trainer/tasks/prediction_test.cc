#include "trainer/tasks/prediction.h"

#include <string>

#include <gtest/gtest.h>

namespace lockstep::trainer {
namespace {

TEST(LineOfInputTest, LeavesOutWhatIsNoTextOfTheLine) {
  EXPECT_EQ(LineOfInput("\xEF\xBB\xBFgo\r", 1, false).text, "go");
  EXPECT_EQ(LineOfInput("\xEF\xBB\xBFgo", 2, false).text, "\xEF\xBB\xBFgo");
  EXPECT_EQ(LineOfInput("", 7, false).number, 7);
}

TEST(LineOfInputTest, ReplacesWhatIsNotUtf8OnRequest) {
  const std::string wrong = "\xFF \xC3\xA9 \xE4\xB8 x\xC3";
  EXPECT_EQ(LineOfInput(wrong, 3, false).text, wrong);
  EXPECT_EQ(LineOfInput(wrong, 3, true).text, "\xEF\xBF\xBD \xC3\xA9 \xEF\xBF\xBD x\xEF\xBF\xBD");
}

}  // namespace
}  // namespace lockstep::trainer
