#include <gmock/gmock.h>

#include "tests/io/sequences/imported.h"

namespace lockstep::io {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class TagImportTest : public SequenceImportTest {
 protected:
  TagImportTest() : SequenceImportTest(SequenceForm::kTags) {}

  void Columns(std::string_view text) { options_.train = {Write("train.conll", text)}; }
  void Files(std::string_view tokens, std::string_view tags) {
    options_.train = {Write("in", tokens) + "," + Write("out", tags)};
  }
};

TEST_F(TagImportTest, ColumnsOfConll2003) {
  Columns(
      "-DOCSTART- -X- -X- O\n\nEU NNP B-NP B-ORG\nrejects VBZ B-VP O\n. . O O\n\n\n"
      "Peter NNP B-NP B-PER\n\n-DOCSTART- -X- -X- O\n\n# # B-NP O\n");
  Import();
  EXPECT_THAT(Field("text"), ElementsAre("EU rejects .", "Peter", "#"));
  EXPECT_THAT(Field("tags"), ElementsAre("B-ORG O O", "B-PER", "O"));
  EXPECT_THAT(result_.fields[1].names, ElementsAre("B-ORG", "B-PER", "O"));
  EXPECT_THAT(result_.parts[0].name_counts[1], ElementsAre(1, 1, 3));
  EXPECT_EQ(result_.fields.size(), 2u);
  EXPECT_EQ(result_.fields[0].vocabulary.kind(), TokenKind::kWhitespace);
  options_.tag_column = 2;
  Import();
  EXPECT_THAT(Field("tags"), ElementsAre("NNP VBZ .", "NNP", "#"));
  options_.tag_column = 5;
  EXPECT_THAT(Error(), HasSubstr("train.conll, line 3: found 4 columns, expected 5"));
}

TEST_F(TagImportTest, ColumnsOfConllU) {
  const std::string rest = "\t_\t_\t0\troot\t_\t_\n";
  Columns("# sent_id = 1\n# text = a b c d e f g\n1-2\tvámonos\t_\t_" + rest +
          "1\tvamos\tir\tVERB" + rest + "2\tnos\tnosotros\tPRON" + rest + "2.1\tx\ty\tz" + rest +
          "\n#x\n# text = a b c d e f g\n1\tNew York\tN\tPROPN" + rest + "\n");
  options_.token_column = 2;
  options_.tag_column = 4;
  Import();
  EXPECT_THAT(Field("text"), ElementsAre("vamos nos", "New_York"));
  EXPECT_THAT(Field("tags"), ElementsAre("VERB PRON", "PROPN"));
  EXPECT_THAT(result_.notes, ElementsAre(HasSubstr("1 tokens had white space inside")));
}

TEST_F(TagImportTest, WrongColumnsAreSaidWithTheirLine) {
  Columns("a X\nb X\nc\n");
  EXPECT_THAT(Error(), HasSubstr("train.conll, line 3: found 1 columns, expected 2"));
  Columns("a\tX\n\nb\t\n");
  EXPECT_THAT(Error(), HasSubstr("train.conll, line 3: found no tag"));
  Columns("a\tX\n\n\tX\n");
  EXPECT_THAT(Error(), HasSubstr("train.conll, line 3: found no token"));
}

TEST_F(TagImportTest, ParallelFilesWithLabels) {
  options_.train = {Write("in", "fly to  boston \n\nlist\n") + "," +
                    Write("out", "O O B-to\n\nO\n") + "," +
                    Write("label", "flight\nnone\nlist \n")};
  options_.validation = {Write("v", "to rome") + "," + Write("w", "O B-from") + "," +
                         Write("x", "city")};
  Import();
  EXPECT_THAT(Field("text"), ElementsAre("fly to boston", "list"));
  EXPECT_THAT(Field("tags"), ElementsAre("O O B-to", "O"));
  EXPECT_THAT(Field("label"), ElementsAre("flight", "list"));
  EXPECT_THAT(Field("text", "validation"), ElementsAre("to <unk>"));
  EXPECT_THAT(Field("tags", "validation"), ElementsAre("O B-from"));
  EXPECT_EQ(result_.left_out_empty, 1u);
  EXPECT_EQ(result_.files, 6u);
  EXPECT_THAT(
      result_.warnings,
      ElementsAre(HasSubstr("validation and test alone have 1 of the 3 tags (1 times), which "
                            "no model can get right: 'B-from'"),
                  HasSubstr("1 of the 4 labels")));
}

TEST_F(TagImportTest, ParallelFilesThatDoNotFit) {
  Files("a b\nc d\n", "X X\nX\n");
  EXPECT_THAT(Error(), HasSubstr("out, line 2: found 1 tags, expected 2, as many as " +
                                 (folder_ / "in").string() + ", line 2 has tokens"));
  Files("a b\nc d\n", "X X\n");
  EXPECT_THAT(Error(), HasSubstr("in, line 2: found a line, expected the end of the file: " +
                                 (folder_ / "out").string() + " has 1 lines"));
  options_.train = {"in,out,label,more"};
  EXPECT_THAT(Error(), HasSubstr("names 4 files"));
  Files("a\n", "X\n");
  options_.test = {options_.train[0] + "," + Write("label", "l\n")};
  EXPECT_THAT(Error(), HasSubstr("All must have one, or none"));
  options_.test = {};
  options_.train = {(folder_ / "in").string() + "," + (folder_ / "missing").string()};
  EXPECT_THAT(Error(), HasSubstr("missing"));
}

TEST_F(TagImportTest, NormalisationKeepsOneTokenForEachTag) {
  // NFKC makes a space and an accent of the acute accent.
  Columns(
      "A\xcc\x81\tX\na\xc2\xb4"
      "b\tY\n");
  options_.normalization = "nfkc";
  options_.lowercase = true;
  Import();
  EXPECT_THAT(Field("text"), ElementsAre("\xc3\xa1 a_\xcc\x81"
                                         "b"));
  EXPECT_THAT(Field("tags"), ElementsAre("X Y"));
  Files(
      "a\xc2\xb4"
      "b\n",
      "X\n");
  EXPECT_THAT(Error(), HasSubstr("out, line 1: found 1 tags, expected 2"));
}

TEST_F(TagImportTest, AFileWithACommaInItsName) {
  options_.train = {Write("a,b", "x O\n")};
  Import();
  EXPECT_THAT(Field("text"), ElementsAre("x"));
  EXPECT_THAT(result_.warnings, IsEmpty());
}

}  // namespace
}  // namespace lockstep::io
