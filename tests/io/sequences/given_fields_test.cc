// What another dataset says of fields; checkpoints are tried by the promises of tasks.
#include <utility>

#include <gmock/gmock.h>

#include "io/datasets/dataset.h"
#include "io/text/subwords.h"
#include "io/text/text_import.h"
#include "tests/io/file_bytes.h"
#include "tests/io/sequences/imported.h"

namespace lockstep::io {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::IsEmpty;

class GivenFieldsTest : public SequenceImportTest {
 protected:
  GivenFieldsTest() : SequenceImportTest(SequenceForm::kTags) {}

  /// Imports as the options say, then has the next import take that over.
  void ImportAndTakeOver() {
    options_.output = folder_ / "first.h5";
    Import();
    options_.output = folder_ / "out.h5";
    options_.vocabulary_from = folder_ / "first.h5";
    options_.validation.clear();
  }
};

TEST_F(GivenFieldsTest, TagsAndLabelsMeanWhatTheyMeanThere) {
  options_.train = {Write("t.in", "x y\ny z y\n") + "," + Write("t.out", "A B\nO O C\n") + "," +
                    Write("t.label", "p\nq\n")};
  ImportAndTakeOver();
  const SequenceImportResult first = result_;
  options_.train = {Write("u.in", "z w\n") + "," + Write("u.out", "C B\n") + "," +
                    Write("u.label", "q\n")};
  Import();
  ASSERT_EQ(result_.fields.size(), 3u);
  EXPECT_EQ(result_.fields[0].vocabulary, first.fields[0].vocabulary);
  EXPECT_THAT(result_.fields[1].names, ElementsAre("A", "B", "C", "O"));
  EXPECT_THAT(result_.fields[2].names, ElementsAre("p", "q"));
  EXPECT_THAT(Field("text"), ElementsAre("z <unk>"));
  EXPECT_THAT(Field("tags"), ElementsAre("C B"));
  EXPECT_THAT(Field("label"), ElementsAre("q"));
  EXPECT_THAT(result_.warnings, IsEmpty());

  options_.train = {Write("u.in", "z w\n") + "," + Write("u.out", "C D\n")};
  EXPECT_THAT(Error(),
              AllOf(HasSubstr("1 of the 2 tags are none of "), HasSubstr("first.h5: 'D'.")));
  options_.min_count = 2;
  EXPECT_THAT(Error(), HasSubstr("with --vocabulary-from nothing is"));
}

TEST_F(GivenFieldsTest, ADatasetOfOneVocabularyGivesItToAllFields) {
  options_.form = SequenceForm::kLabels;
  options_.lowercase = true;
  options_.train = {Write("t", "a\tMore of it\n")};
  ImportAndTakeOver();
  const Vocabulary given = result_.fields[0].vocabulary;
  options_.form = SequenceForm::kPairs;
  options_.lowercase = false;
  options_.train = {Write("t", "MORE\tit is\n")};
  Import();
  EXPECT_EQ(result_.fields[0].vocabulary, given);
  EXPECT_EQ(result_.fields[1].vocabulary, given);
  EXPECT_THAT(Field("source"), ElementsAre("more"));
  EXPECT_THAT(Field("target"), ElementsAre("it <unk>"));
  options_.tokens = TokenKind::kChar;
  EXPECT_THAT(Error(), AllOf(HasSubstr("first.h5"), HasSubstr("leave --tokens out")));
  // Which of two vocabularies of pairs a text would take is not clear.
  options_.tokens = std::nullopt;
  options_.vocabulary_from = options_.output;
  options_.form = SequenceForm::kLabels;
  options_.output = folder_ / "third.h5";
  options_.train = {Write("t", "a\tmore\n")};
  EXPECT_THAT(Error(), HasSubstr("out.h5 has no vocabulary for the field text"));
}

TEST_F(GivenFieldsTest, AVocabularyOfOtherTextsIsWarnedOf) {
  options_.form = SequenceForm::kLabels;
  options_.train = {Write("t", "a\tone two\n")};
  ImportAndTakeOver();
  options_.train = {Write("t", "a\tun deux\n")};
  Import();
  EXPECT_THAT(result_.warnings, ElementsAre(HasSubstr("100.0% of the tokens of text are none of")));
}

TEST_F(GivenFieldsTest, WhatIsTaggedStandsBetweenWhiteSpace) {
  options_.form = SequenceForm::kLabels;
  options_.train = {Write("t", "a\tone two\n")};
  ImportAndTakeOver();
  options_.form = SequenceForm::kTags;
  options_.train = {Write("t.in", "one\n") + "," + Write("t.out", "A\n")};
  EXPECT_THAT(Error(), HasSubstr("has a vocabulary of kind word, but what is tagged"));
  options_.vocabulary_from = Write("foreign.h5", std::string("\x89HDF\r\n\x1a\n") + "rest");
  EXPECT_THAT(Error(), HasSubstr("foreign.h5 is HDF5, but neither a dataset"));
}

TEST_F(GivenFieldsTest, ATextImportGivesItsVocabularyAndTakesOne) {
  TextImportOptions text;
  text.paths = {Write("text", "ab\nba\n")};
  text.output = folder_ / "text.h5";
  ImportText(text);
  options_.form = SequenceForm::kLabels;
  options_.vocabulary_from = text.output;
  options_.train = {Write("t", "x\tba\n")};
  Import();
  EXPECT_EQ(result_.fields[0].vocabulary.kind(), TokenKind::kChar);
  EXPECT_THAT(Field("text"), ElementsAre("b a"));
  options_.train = {Write("t", "x\tbc\n")};
  EXPECT_THAT(Error(), AllOf(HasSubstr("has no unknown token"), HasSubstr("('bc')")));
  text.vocabulary_from = options_.output;
  text.output = folder_ / "again.h5";
  ImportText(text);
  EXPECT_EQ(Dataset::Open(text.output).vocabulary(), result_.fields[0].vocabulary);
  // Which of two is not clear.
  options_.form = SequenceForm::kPairs;
  options_.vocabulary_from.clear();
  options_.train = {Write("t", "x\ty\n")};
  Import();
  text.vocabulary_from = options_.output;
  EXPECT_THAT([&] { ImportText(text); },
              testing::ThrowsMessage<InputError>(HasSubstr("has two vocabularies")));
}

TEST_F(GivenFieldsTest, SourcesAndTargetsTakeListsOfTheirOwn) {
  options_.form = SequenceForm::kPairs;
  options_.tokens = TokenKind::kWhitespace;
  options_.source_vocabulary_from = Write("source.vocab", "c 12\na 3\n");
  options_.train = {Write("t", "a b c\tx y\n")};
  Import();
  EXPECT_THAT(result_.fields[0].vocabulary.tokens(), ElementsAre("c", "a", "<unk>"));
  EXPECT_THAT(result_.fields[1].vocabulary.tokens(), ElementsAre("<unk>", "x", "y"));
  EXPECT_THAT(Field("source"), ElementsAre("a <unk> c"));
  options_.target_vocabulary_from = Write("target.vocab", "y\n");
  Import();
  EXPECT_THAT(Field("target"), ElementsAre("<unk> y"));
  options_.shared_vocabulary = true;
  EXPECT_THAT(Error(), HasSubstr("leave --shared-vocabulary out"));
  options_.target_vocabulary_from.clear();
  EXPECT_THAT(Error(), HasSubstr("one file gives the vocabulary of both"));
  options_.shared_vocabulary = false;
  options_.tokens = TokenKind::kSubword;
  EXPECT_THAT(Error(), HasSubstr("name their codes file with --codes"));
  options_.codes = Write("codes", "#version: 0.2\na b</w>\n");
  options_.source_vocabulary_from = Write("source.vocab", "ab 9\n");
  Import();
  EXPECT_THAT(result_.fields[0].vocabulary.tokens(), ElementsAre("ab", "<unk>"));
  EXPECT_EQ(result_.fields[0].vocabulary.subwords()->merges().size(), 1u);
}

TEST_F(GivenFieldsTest, MergesAreForTheFieldThatLearnsThem) {
  options_.form = SequenceForm::kPairs;
  options_.tokens = TokenKind::kSubword;
  options_.train = {Write("t", "lower lower low\tlowest low\n")};
  ImportAndTakeOver();
  options_.source_vocabulary_from = std::exchange(options_.vocabulary_from, "");
  options_.merges = 1;
  Import();
  EXPECT_GT(result_.fields[0].vocabulary.subwords()->merges().size(), 1u);
  EXPECT_EQ(result_.fields[1].vocabulary.subwords()->merges().size(), 1u);
  options_.tokens = TokenKind::kWhitespace;  // of targets: sources have a file of their own
  options_.merges = 0;
  Import();
  EXPECT_EQ(result_.fields[0].vocabulary.kind(), TokenKind::kSubword);
  EXPECT_EQ(result_.fields[1].vocabulary.kind(), TokenKind::kWhitespace);
  options_.merges = 1;
  EXPECT_THAT(Error(), HasSubstr("comes with its own merges"));
  options_.source_vocabulary_from.clear();
  EXPECT_THAT(Error(), HasSubstr("--merges is for --tokens bpe"));
  // Two vocabularies are not one.
  options_.merges = 0;
  options_.tokens = std::nullopt;
  options_.vocabulary_from = folder_ / "first.h5";
  options_.shared_vocabulary = true;
  EXPECT_THAT(Error(), HasSubstr("leave --shared-vocabulary out"));
}

TEST_F(GivenFieldsTest, MergesAreWrittenAsCodes) {
  options_.form = SequenceForm::kPairs;
  options_.tokens = TokenKind::kSubword;
  options_.train = {Write("t", "lower low\tlowest low\n")};
  options_.write_codes = folder_ / "codes";
  EXPECT_THAT(Error(), HasSubstr("Add --shared-vocabulary"));
  options_.shared_vocabulary = true;
  Import();
  const std::string codes = Bytes(options_.write_codes);
  EXPECT_THAT(codes, testing::StartsWith("#version: 0.2\nl o\n"));
  // One vocabulary that is read is one list, too.
  const Vocabulary learnt = result_.fields[0].vocabulary;
  options_.codes = options_.write_codes;
  options_.write_codes = folder_ / "again";
  Import();
  EXPECT_EQ(Bytes(options_.write_codes), codes);
  EXPECT_EQ(result_.fields[1].vocabulary, learnt);
  options_.write_codes = Write("notes", "mine\n");
  EXPECT_THAT(Error(), HasSubstr("is no codes file"));
  EXPECT_EQ(Bytes(options_.write_codes), "mine\n");
  options_.write_codes = folder_ / "." / "out.h5";
  EXPECT_THAT(Error(), HasSubstr("name two files"));
  options_.tokens = TokenKind::kWord;
  options_.codes.clear();
  options_.write_codes = folder_ / "words";
  EXPECT_THAT(Error(), HasSubstr("--write-codes is for --tokens bpe"));
}

TEST_F(GivenFieldsTest, TheNumbersOfCaptionsHaveTheirPlacesAndScaling) {
  options_.form = SequenceForm::kCaptions;
  options_.text_column = "text";
  options_.features = {"n", "kind"};
  options_.train = {Write("t.csv", "kind,n,text\n7,1,x\n8a,3,y\n")};
  ImportAndTakeOver();
  EXPECT_THAT(result_.fields[0].names, ElementsAre("n", "kind=7", "kind=8a"));
  // Other columns in another order; a column of names that holds numbers alone here.
  options_.features.clear();
  options_.train = {Write("u.csv", "more,text,kind,n\n5,y,7,9\n5,x,6,11\n")};
  Import();
  EXPECT_THAT(result_.fields[0].names, ElementsAre("n", "kind=7", "kind=8a"));
  EXPECT_THAT(result_.fields[0].means, ElementsAre(2, 0, 0));
  EXPECT_THAT(result_.fields[0].deviations, ElementsAre(1, 1, 1));
  EXPECT_THAT(Vectors(), ElementsAre(ElementsAre(9, 1, 0), ElementsAre(11, 0, 0)));
  EXPECT_THAT(result_.warnings,
              ElementsAre(AllOf(HasSubstr("1 examples have a value in the column 'kind' that "),
                                HasSubstr("first.h5 lacks"))));
  options_.train = {Write("u.csv", "text,kind\ny,7\n")};
  EXPECT_THAT(Error(),
              AllOf(HasSubstr("no column here gives the number 'n'"), HasSubstr("first.h5 has")));
  options_.train = {Write("u.csv", "text,kind,n\ny,7,many\n")};
  EXPECT_THAT(Error(), HasSubstr("u.csv, line 2: 'many': the column 'n' holds numbers in"));
}

}  // namespace
}  // namespace lockstep::io
