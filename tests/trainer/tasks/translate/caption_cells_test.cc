#include "trainer/tasks/translate/caption_cells.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "trainer/exit_status.h"

namespace lockstep::trainer {
namespace {

using ::testing::AllOf;
using ::testing::ElementsAre;
using ::testing::HasSubstr;
using ::testing::IsEmpty;

const CaptionCells& Animals() {
  static const CaptionCells cells({"size", "kind=cat", "kind=big dog", "age"});
  return cells;
}

std::string ErrorOf(const CaptionCells& cells, const std::string& text) {
  try {
    cells.Read({text, 7});
  } catch (const UsageError& error) {
    return error.what();
  }
  return "";
}

TEST(CaptionCellsTest, CellsAreThoseOfTheTable) {
  for (const char* line : {"1.5\tbig dog\t-2", "1.5,big dog,-2", " 1.5; big dog ; -2e0\r"}) {
    EXPECT_THAT(Animals().Read({line, 1}), ElementsAre(1.5f, 0, 1, -2)) << line;
  }
  EXPECT_THAT(Animals().Read({"+1.5 cat -2", 1}), ElementsAre(1.5f, 1, 0, -2));
  EXPECT_THAT(Animals().Read({" \t", 1}), IsEmpty());
}

TEST(CaptionCellsTest, OrTheNumbersThemselves) {
  EXPECT_THAT(Animals().Read({"1 0 1 2", 1}), ElementsAre(1, 0, 1, 2));
  EXPECT_THAT(CaptionCells({"a", "b"}).Read({"3,4", 1}), ElementsAre(3, 4));
}

TEST(CaptionCellsTest, OneColumnOfValuesIsTheLine) {
  const CaptionCells cells({"class=in, out", "class=x"});
  EXPECT_THAT(cells.Read({"in, out", 1}), ElementsAre(1, 0));
  EXPECT_THAT(cells.Read({"x", 1}), ElementsAre(0, 1));
}

TEST(CaptionCellsTest, WhatIsWrongIsSaid) {
  EXPECT_THAT(
      ErrorOf(Animals(), "1,2"),
      AllOf(HasSubstr("standard input, line 7: has 2 cells; the model takes 3: size, kind, age")));
  EXPECT_THAT(ErrorOf(Animals(), "1,mouse,2"),
              HasSubstr("line 7: kind is \"mouse\"; the model knows cat, big dog"));
  EXPECT_THAT(ErrorOf(Animals(), "1,cat,x"), HasSubstr("line 7: age is \"x\", which is no number"));
  EXPECT_THAT(ErrorOf(Animals(), "nan,cat,2"), HasSubstr("size is \"nan\""));
  EXPECT_THAT(ErrorOf(Animals(), "1,,2"), HasSubstr("kind is \"\""));
}

}  // namespace
}  // namespace lockstep::trainer
