#include "io/series/csv_reader.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "io/errors.h"
#include "tests/io/temporary_folder.h"

namespace lockstep::io {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

using Rows = std::vector<std::vector<std::string>>;

class CsvReaderTest : public testing::Test {
 protected:
  Rows Read(const std::string& text, char delimiter = 0) {
    CsvReader reader(folder_.Write("a.csv", text), delimiter, false);
    Rows rows;
    lines_.clear();
    while (reader.Next()) {
      rows.emplace_back(reader.cells().begin(), reader.cells().end());
      lines_.push_back(reader.line());
    }
    delimiter_ = reader.delimiter();
    return rows;
  }

  std::string ErrorOf(const std::string& text) {
    try {
      Read(text);
    } catch (const InputError& error) {
      return error.what();
    }
    return "";
  }

  TemporaryFolder folder_;
  std::vector<uint64_t> lines_;
  char delimiter_ = 0;
};

TEST_F(CsvReaderTest, RowsComeBack) {
  const Rows rows = {{"a", "b"}, {"1", ""}, {"", "2"}};
  EXPECT_EQ(Read("a,b\n1,\n,2\n"), rows);
  EXPECT_EQ(Read("a,b\r\n1,\r\n,2"), rows);
  EXPECT_EQ(Read("\xef\xbb\xbf"
                 "a,b\n\n1,\n\r\n,2\n\n"),
            rows);
  EXPECT_THAT(lines_, ElementsAre(1, 3, 5));
  EXPECT_EQ(Read(""), Rows());
  EXPECT_EQ(Read("\n\n"), Rows());
  EXPECT_EQ(Read("a"), (Rows{{"a"}}));
}

TEST_F(CsvReaderTest, QuotesAreThoseOfRfc4180) {
  EXPECT_EQ(Read("a,b\n\"x,y\",\"say \"\"so\"\"\"\n\"two\nlines\",\"\"\r\n\"\"\"\",c\"d\n"),
            (Rows{{"a", "b"}, {"x,y", "say \"so\""}, {"two\nlines", ""}, {"\"", "c\"d"}}));
  EXPECT_THAT(lines_, ElementsAre(1, 2, 3, 5));
  EXPECT_THAT(ErrorOf("a,b\n1,\"x\"y\n"), HasSubstr("line 2, column 2: found text behind"));
  EXPECT_THAT(ErrorOf("a,b\n1,2\n\"x\ny\n"), HasSubstr("line 3, column 1: found a quote that is"));
}

TEST_F(CsvReaderTest, TheDelimiterIsFound) {
  for (const char delimiter : std::string(",;\t|")) {
    const std::string text =
        std::string("a") + delimiter + "\"b,,;;\t\t||\"\n1" + delimiter + "2\n";
    EXPECT_EQ(Read(text), (Rows{{"a", "b,,;;\t\t||"}, {"1", "2"}}));
    EXPECT_EQ(delimiter_, delimiter);
  }
  EXPECT_EQ(Read("a:b,c\n", ':'), (Rows{{"a", "b,c"}}));
  EXPECT_EQ(CsvReader(folder_.Write("c.csv", "a,b;c,d\n1,5;2,5\n"), 0, true).delimiter(), ';');
}

// Every kind of row lies across the end of a block, and a row is longer than a block.
TEST_F(CsvReaderTest, BlocksDoNotMatter) {
  const Rows some = {{"a", "b\"c\n\"", ""}, {"x", "y", "z"}, {"", "", "q\r\nw"}};
  const std::string text = "a,\"b\"\"c\n\"\"\",\r\nx,y,z\n,,\"q\r\nw\"\n";
  std::string file;
  while (file.size() < (9u << 20)) file += text;
  const size_t count = file.size() / text.size();
  const std::string long_cell(11u << 20, 'l');
  file += "\"" + long_cell + "\",1,2\n";
  for (size_t shift = 0; shift < text.size(); shift += 1) {
    CsvReader reader(folder_.Write("a.csv", std::string(shift, 's') + ",,\n" + file), 0, false);
    ASSERT_TRUE(reader.Next());
    uint64_t line = 2;
    for (size_t i = 0; i < count; ++i) {
      for (const std::vector<std::string>& row : some) {
        ASSERT_TRUE(reader.Next());
        ASSERT_EQ(std::vector<std::string>(reader.cells().begin(), reader.cells().end()), row);
        ASSERT_EQ(reader.line(), line);
        line += &row == &some[1] ? 1 : 2;
      }
    }
    ASSERT_TRUE(reader.Next());
    EXPECT_EQ(reader.cells()[0], long_cell);
    EXPECT_FALSE(reader.Next());
  }
}

TEST_F(CsvReaderTest, TheFirstBlockIsReadAgain) {
  std::string file = "a,b\n";
  for (int i = 0; i < 1'500'000; ++i) file += "1,2\n";
  CsvReader reader(folder_.Write("a.csv", file), 0, false);
  size_t count = 0;
  while (reader.NextInFirstBlock()) ++count;
  EXPECT_EQ(count, (4u << 20) / 4);
  reader.Rewind();
  count = 0;
  while (reader.Next()) ++count;
  EXPECT_EQ(count, 1'500'001u);
  EXPECT_EQ(reader.line(), 1'500'001u);
}

TEST_F(CsvReaderTest, WhatIsNoTableIsAnInputError) {
  EXPECT_THAT(ErrorOf("\xff\xfe"
                      "a"),
              HasSubstr("UTF-16"));
  EXPECT_THROW(CsvReader(folder_ / "missing.csv", 0, false), InputError);
  EXPECT_THROW(CsvReader(folder_.path(), 0, false), InputError);
}

}  // namespace
}  // namespace lockstep::io
