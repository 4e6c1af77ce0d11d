#include <algorithm>

#include <gmock/gmock.h>
#include <zlib.h>

#include "tests/io/file_bytes.h"
#include "tests/io/sequences/imported.h"

namespace lockstep::io {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class LabelImportTest : public SequenceImportTest {
 protected:
  LabelImportTest() : SequenceImportTest(SequenceForm::kLabels) {}

  // Text that is for training alone.
  void Train(std::string_view text, std::string_view name = "train.tsv") {
    options_.train = {Write(name, text)};
  }
};

TEST_F(LabelImportTest, LinesOfLabelAndText) {
  Train("\xef\xbb\xbfgood\ta fine day\r\n\n bad \tno, a bad one\tindeed\ngood\tfine");
  const SequenceImportResult result = Import();
  EXPECT_THAT(Field("text"), ElementsAre("a fine day", "no , a bad one indeed", "fine"));
  EXPECT_THAT(Field("label"), ElementsAre("good", "bad", "good"));
  EXPECT_THAT(result.fields[1].names, ElementsAre("bad", "good"));
  EXPECT_THAT(result.parts[0].name_counts[1], ElementsAre(1, 2));
  EXPECT_EQ(result.parts[0].examples, 3u);
  EXPECT_EQ(result.parts[0].tokens[0], 10u);
  EXPECT_EQ(result.longest[0], 6u);
  EXPECT_EQ(result.files, 1u);
  EXPECT_THAT(result.warnings, IsEmpty());
  const SequenceDataset dataset = SequenceDataset::Open(options_.output);
  EXPECT_EQ(dataset.fingerprint(), result.fingerprint);
  EXPECT_EQ(dataset.ReadSources(9).first[0].size, 3u);
  // By count, then by bytes, behind the unknown token.
  EXPECT_THAT(dataset.field("text").vocabulary.tokens(),
              ElementsAre("<unk>", "a", "fine", ",", "bad", "day", "indeed", "no", "one"));
}

TEST_F(LabelImportTest, WhatIsWrongIsSaidWithFileAndLine) {
  Train("good\tfine\nbad\n");
  EXPECT_THAT(Error(), HasSubstr("train.tsv, line 2: found 1 column, expected 2"));
  Train("good\tfine\n  \tfine\n");
  EXPECT_THAT(Error(), HasSubstr("train.tsv, line 2: found no label"));
  options_.train = {Write("t.csv", "label,text\n\"go\nod\",fine\n")};
  options_.label_column = "label";
  options_.text_column = "text";
  EXPECT_THAT(Error(), HasSubstr("expected a label without tabs and line ends"));
  options_.label_column = options_.text_column = "";
  Train("good\tfine\ngood\t\xff\n");
  EXPECT_THAT(Error(), HasSubstr("train.tsv, line 2: found FF, which is no utf-8"));
  Train("");
  EXPECT_THAT(Error(), HasSubstr("nothing to train on"));
  Train("good\t\nbad\t \n");
  EXPECT_THAT(Error(), HasSubstr("no example is left to train on: 2"));
  options_.train = {(folder_ / "missing").string()};
  EXPECT_THAT(Error(), HasSubstr("missing"));
  options_.paths = {Write("a", "a\tb\n")};
  EXPECT_THAT(Error(), HasSubstr("not both"));
  options_.train.clear();
  options_.validation = options_.paths;
  options_.paths.clear();
  EXPECT_THAT(Error(), HasSubstr("--train"));
  EXPECT_THAT(folder_.Names(), ElementsAre("a", "t.csv", "train.tsv"));
}

TEST_F(LabelImportTest, ColumnsByNumberAreOfLines) {
  Train("1\t\"a text\" here\tgood\n2\tanother\tbad\n");
  options_.text_column = "2";
  options_.label_column = "3";
  options_.tokens = TokenKind::kWhitespace;
  Import();
  EXPECT_THAT(Field("text"), ElementsAre("\"a text\" here", "another"));
  EXPECT_THAT(Field("label"), ElementsAre("good", "bad"));
  options_.label_column = "4";
  EXPECT_THAT(Error(), HasSubstr("line 1: found 3 columns, expected 4"));
  options_.label_column = "label";
  EXPECT_THAT(Error(), HasSubstr("both be names of columns, or both numbers"));
  options_.label_column = "";
  EXPECT_THAT(Error(), HasSubstr("go together"));
}

TEST_F(LabelImportTest, ColumnsOfTablesByNameAndByNumber) {
  const std::string rows = "\"a \"\"text\"\"; more\nlines\";x;good\nanother;y;bad\n";
  Train("text;other; label \n" + rows);
  options_.text_column = "text";
  options_.label_column = "label";
  options_.tokens = TokenKind::kChar;
  Import();
  EXPECT_THAT(Field("text")[0], HasSubstr("t e x t \" ;   m o r e   l i n e s"));
  EXPECT_THAT(Field("label"), ElementsAre("good", "bad"));
  const std::vector<std::string> by_name = Field("text");
  options_.label_column = "none";
  EXPECT_THAT(Error(),
              HasSubstr("found no column 'none', expected one of 'text', 'other', 'label'"));
  Train("text;label\na;b;c\n");
  options_.label_column = "label";
  EXPECT_THAT(Error(), HasSubstr("line 2: found 3 cells, expected 2"));
  Train(rows, "train.csv");
  options_.text_column = "1";
  options_.label_column = "3";
  Import();
  EXPECT_EQ(Field("text"), by_name);
  options_.text_column = options_.label_column = "";
  EXPECT_THAT(Error(), HasSubstr("train.csv is a table: name its columns with --label and --text"));
}

TEST_F(LabelImportTest, AFolderForEachLabel) {
  Write("data/pos/b.txt", "fine\nday\n");
  Write("data/pos/deep/c.txt", "fine");
  Write("data/neg/a.txt", "bad\r\nday\r\n");
  Write("data/neg/empty.txt", "\n");
  Write("data/README", "not a text");
  options_.train = {(folder_ / "data").string()};
  Import();
  EXPECT_THAT(Field("text"), ElementsAre("bad day", "fine day", "fine"));
  EXPECT_THAT(Field("label"), ElementsAre("neg", "pos", "pos"));
  EXPECT_EQ(result_.left_out_empty, 1u);
  EXPECT_THAT(result_.warnings, ElementsAre(HasSubstr("1 files beside")));
  EXPECT_EQ(SequenceDataset::Open(options_.output).ReadSources(9).count, 4u);
  options_.train = {(folder_ / "data/pos/deep").string()};
  EXPECT_THAT(Error(), HasSubstr("has no folders"));
}

TEST_F(LabelImportTest, TheVocabularyIsOfTheTrainingAndLabelsOfAll) {
  Train("a\tone two two\nb\tone\n");
  options_.validation = {Write("v", "a\ttwo three\nc\tfour five\nc\tone\n")};
  options_.test = {Write("t", "b\tsix\n")};
  Import();
  EXPECT_THAT(result_.fields[0].vocabulary.tokens(), ElementsAre("<unk>", "one", "two"));
  EXPECT_THAT(Field("text", "validation"), ElementsAre("two <unk>", "<unk> <unk>", "one"));
  EXPECT_THAT(Field("label", "test"), ElementsAre("b"));
  EXPECT_THAT(result_.fields[1].names, ElementsAre("a", "b", "c"));
  EXPECT_EQ(result_.parts[0].unknown[0], 0u);
  EXPECT_EQ(result_.parts[1].unknown[0], 3u);
  EXPECT_EQ(result_.parts[2].unknown[0], 1u);
  EXPECT_THAT(result_.warnings,
              ElementsAre(HasSubstr("validation and test alone have 1 of the 3 labels (2 "
                                    "times), which no model can get right: 'c'")));
}

TEST_F(LabelImportTest, SharesAreDrawnAndKeepTheirOrder) {
  std::string text;
  for (int i = 0; i < 1000; ++i) {
    text.append(i < 500 ? "a\t" : "b\t").append(std::to_string(i)).append("\n");
  }
  options_.paths = {Write("all", text)};
  options_.split = {80, 10, 10};
  options_.tokens = TokenKind::kWhitespace;
  Import();
  EXPECT_EQ(result_.parts[0].examples, 800u);
  EXPECT_EQ(result_.parts[1].examples, 100u);
  // Half of each label, to three deviations of drawing 100 of 1,000.
  EXPECT_NEAR(static_cast<double>(result_.parts[1].name_counts[1][0]), 50, 15);
  EXPECT_NEAR(static_cast<double>(result_.parts[2].name_counts[1][0]), 50, 15);
  const std::string first = Bytes(options_.output);
  for (const std::string split : {"train", "validation", "test"}) {
    const std::vector<std::string> labels = Field("label", split);
    EXPECT_TRUE(std::is_sorted(labels.begin(), labels.end())) << split;
  }
  Import();
  EXPECT_EQ(Bytes(options_.output), first);

  options_.shuffle = false;
  Import();
  EXPECT_EQ(Field("text")[799], "799");
  EXPECT_THAT(result_.parts[1].name_counts[1], ElementsAre(0, 100));
  options_.split = {90, -1};
  EXPECT_THAT(Error(), HasSubstr("the split must be"));
  options_.split = {0, 1};
  EXPECT_THAT(Error(), HasSubstr("none of them for training"));
}

TEST_F(LabelImportTest, TheResultDoesNotDependOnTheMemory) {
  std::string text;
  for (int i = 0; i < 3000; ++i) {
    text.append("l").append(std::to_string(i % 7)).append("\t");
    text.append(static_cast<size_t>(i % 50), 'x').append(" w");
    text.append(std::to_string(i % 300)).append("\n");
  }
  text += "long\t" + std::string(5 << 20, 'y') + "\n";  // more than is read of the file at a time
  options_.paths = {Write("all", text)};
  Import();
  const std::string first = Bytes(options_.output);
  options_.spill_memory_bytes = 1000;
  options_.count_memory_bytes = 4096;
  Import();
  EXPECT_EQ(Bytes(options_.output), first);
  EXPECT_THAT(folder_.Names(), ElementsAre("all", "out.h5"));
}

TEST_F(LabelImportTest, TokensOfEveryKind) {
  Train("a\tLow lower\na\tlow low\n");
  options_.lowercase = true;
  const auto tokens = [&](TokenKind kind) {
    options_.tokens = kind;
    Import();
    EXPECT_EQ(result_.fields[0].vocabulary.kind(), kind);
    EXPECT_TRUE(result_.fields[0].vocabulary.unknown());
    return Field("text");
  };
  EXPECT_THAT(tokens(TokenKind::kChar), ElementsAre("l o w   l o w e r", "l o w   l o w"));
  EXPECT_THAT(tokens(TokenKind::kByte), ElementsAre("l o w   l o w e r", "l o w   l o w"));
  EXPECT_THAT(tokens(TokenKind::kWord), ElementsAre("low lower", "low low"));
  EXPECT_THAT(tokens(TokenKind::kWhitespace), ElementsAre("low lower", "low low"));
  options_.merges = 1;
  EXPECT_THAT(tokens(TokenKind::kSubword), ElementsAre("lo@@ w lo@@ w@@ e@@ r", "lo@@ w lo@@ w"));
  options_.codes = Write("codes", "#version: 0.2\no w</w>\n");
  EXPECT_THAT(tokens(TokenKind::kSubword),
              ElementsAre("l@@ ow l@@ o@@ w@@ e@@ r", "l@@ ow l@@ ow"));
}

TEST_F(LabelImportTest, RareTokensAreUnknownAndLongExamplesAreLeftOut) {
  Train("a\tx x y z\na\tx y\na\tx x x x x x\n");
  options_.tokens = TokenKind::kChar;
  options_.min_count = 3;
  options_.longest = 10;
  Import();
  EXPECT_THAT(Field("text"), ElementsAre("x   x   <unk>   <unk>", "x   <unk>"));
  EXPECT_EQ(result_.left_out_long, 1u);
  options_.min_count = 1;
  options_.vocabulary_limit = 3;
  Import();
  EXPECT_THAT(result_.fields[0].vocabulary.tokens(), ElementsAre("<unk>", " ", "x"));
  options_.vocabulary_limit = 1;
  EXPECT_THAT(Error(), HasSubstr("at least 2"));
}

TEST_F(LabelImportTest, OtherEncodings) {
  Train("好\t你好\n");
  options_.tokens = TokenKind::kChar;
  Import();
  const std::vector<std::string> text = Field("text"), label = Field("label");
  Train("\xba\xc3\t\xc4\xe3\xba\xc3\n");  // GBK
  options_.encoding.name = "gbk";
  Import();
  EXPECT_EQ(Field("text"), text);
  EXPECT_EQ(Field("label"), label);
  Train(std::string_view("\xff\xfe\x7d\x59\t\0\x60\x4f\x7d\x59\n\0", 12));
  options_.encoding.name = "utf-16";
  Import();
  EXPECT_EQ(Field("text"), text);
  Train("a\tb\na\tb\na\t\xba\n");
  options_.encoding.name = "gbk";
  EXPECT_THAT(Error(), HasSubstr("line 3: found BA"));
  options_.encoding.replace_invalid = true;
  Import();
  EXPECT_EQ(result_.replaced, 1u);
  options_.encoding.name = "no-such";
  EXPECT_THAT(Error(), HasSubstr("no-such"));
}

TEST_F(LabelImportTest, BytesAreTakenAsTheyStand) {
  Train("a\t\xff x\n");
  options_.tokens = TokenKind::kByte;
  Import();
  EXPECT_THAT(Field("text"), ElementsAre("\xff   x"));
  Train("a\t\xff x\n\xff\tb\n");
  EXPECT_THAT(Error(), HasSubstr("line 2: found '\\xff', expected a label in UTF-8"));
}

TEST_F(LabelImportTest, PackedFiles) {
  const std::string path = (folder_ / "train.tsv.gz").string();
  gzFile file = gzopen(path.c_str(), "wb");
  gzputs(file, "a\tone two\n");
  gzclose(file);
  options_.train = {path};
  Import();
  EXPECT_THAT(Field("text"), ElementsAre("one two"));
}

TEST_F(LabelImportTest, ProgressIsToldStageByStage) {
  Train("a\tone\na\ttwo\n");
  std::vector<std::string> stages;
  ImportSequences(options_, [&](const SequenceImportProgress& progress) {
    stages.emplace_back(progress.stage);
    EXPECT_EQ(progress.done, progress.total);
    EXPECT_EQ(progress.examples, 2u);
  });
  EXPECT_THAT(stages, ElementsAre("reading", "counting", "writing"));
}

TEST_F(LabelImportTest, OnlyADatasetLosesItsPlace) {
  Train("a\tone\n");
  Write("out.h5", "a file of mine");
  EXPECT_THAT(Error(), HasSubstr("--output"));
  EXPECT_EQ(Bytes(options_.output), "a file of mine");
  std::filesystem::remove(options_.output);
  Import();
  Import();
  options_.train = {options_.output.string()};
  EXPECT_THAT(Error(), HasSubstr("is the dataset to write"));
}

}  // namespace
}  // namespace lockstep::io
