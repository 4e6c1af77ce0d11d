#include <gmock/gmock.h>

#include "tests/io/sequences/imported.h"

namespace lockstep::io {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class PairImportTest : public SequenceImportTest {
 protected:
  PairImportTest() : SequenceImportTest(SequenceForm::kPairs) {
    options_.tokens = TokenKind::kWhitespace;
  }
};

TEST_F(PairImportTest, LinesOfSourceAndTarget) {
  options_.train = {Write("t", "go .\tva !\tCC-BY\nrun\tcours\n\tnothing\n")};
  options_.validation = {Write("v", "go\tva vite\n")};
  Import();
  EXPECT_THAT(Field("source"), ElementsAre("go .", "run"));
  EXPECT_THAT(Field("target"), ElementsAre("va !", "cours"));
  EXPECT_THAT(Field("target", "validation"), ElementsAre("va <unk>"));
  EXPECT_EQ(result_.left_out_empty, 1u);
  EXPECT_THAT(result_.warnings, ElementsAre(HasSubstr("1 lines have columns behind the second")));
  options_.train = {Write("t", "go .\n")};
  EXPECT_THAT(Error(), HasSubstr("t, line 1: found 1 column, expected 2"));
}

TEST_F(PairImportTest, ColumnsOfATable) {
  options_.train = {Write("t.csv", "id,de,en\n1,\"ja, ja\",yes\n")};
  options_.source_column = "en";
  options_.target_column = "de";
  Import();
  EXPECT_THAT(Field("source"), ElementsAre("yes"));
  EXPECT_THAT(Field("target"), ElementsAre("ja, ja"));
}

TEST_F(PairImportTest, ParallelFilesWithTokensOfTheirOwn) {
  options_.train = {Write("src", "ab c\nb\n") + "," + Write("tgt", "x y\n\n")};
  options_.source_tokens = TokenKind::kChar;
  Import();
  EXPECT_THAT(Field("source"), ElementsAre("a b   c"));
  EXPECT_THAT(Field("target"), ElementsAre("x y"));
  EXPECT_EQ(result_.left_out_empty, 1u);
  options_.shared_vocabulary = true;
  EXPECT_THAT(Error(), HasSubstr("tokens of one kind"));
  options_.train = {Write("src", "a\n") + "," + Write("tgt", "x\ny\nz\n")};
  options_.shared_vocabulary = false;
  EXPECT_THAT(Error(), HasSubstr("tgt, line 2: found a line, expected the end of the file: " +
                                 (folder_ / "src").string() + " has 1 lines"));
}

TEST_F(PairImportTest, ASharedVocabularyIsOfBoth) {
  options_.train = {Write("t", "a b b\tc b\n")};
  Import();
  EXPECT_THAT(result_.fields[0].vocabulary.tokens(), ElementsAre("<unk>", "b", "a"));
  EXPECT_THAT(result_.fields[1].vocabulary.tokens(), ElementsAre("<unk>", "b", "c"));
  options_.shared_vocabulary = true;
  Import();
  EXPECT_THAT(result_.fields[0].vocabulary.tokens(), ElementsAre("<unk>", "b", "a", "c"));
  EXPECT_EQ(result_.fields[1].vocabulary, result_.fields[0].vocabulary);
  EXPECT_THAT(Field("target"), ElementsAre("c b"));
}

}  // namespace
}  // namespace lockstep::io
