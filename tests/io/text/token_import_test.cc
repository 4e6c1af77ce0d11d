#include <fstream>

#include <gmock/gmock.h>

#include "io/checkpoints/checkpoint.h"
#include "io/datasets/dataset.h"
#include "io/errors.h"
#include "io/text/text_encoder.h"
#include "io/text/text_import.h"
#include "io/text/text_segmenter.h"
#include "io/text/vocabulary_builder.h"
#include "tests/io/file_bytes.h"
#include "tests/io/temporary_folder.h"
#include "tests/io/text/collected_tokens.h"

namespace lockstep::io {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::ElementsAreArray;
using testing::HasSubstr;
using testing::Optional;
using testing::ThrowsMessage;

namespace fs = std::filesystem;

std::vector<std::string> Runs(TokenKind kind, std::u16string_view text, size_t part_units,
                              size_t most_units = 32768) {
  CollectedTokens tokens;
  TextSegmenter segmenter(kind, "none", false, &tokens, most_units);
  for (size_t at = 0; at < text.size(); at += part_units) {
    segmenter.Feed(text.substr(at, part_units));
  }
  segmenter.Finish();
  return tokens.words;
}

TEST(SeparatedTokensTest, WhiteSpaceIsUnicodesAndLineFeedsStay) {
  const std::u16string_view text = u" <unk>\tN's\u00A0a\u2003b\u3000中\r\n\n\U0001F600,x\rz \x01";
  for (const size_t part : {1, 3, 100}) {
    EXPECT_THAT(Runs(TokenKind::kWhitespace, text, part),
                ElementsAre("<unk>", "N's", "a", "b", "中", "\n", "\n", "😀,x", "z", "\x01"));
    EXPECT_THAT(Runs(TokenKind::kSubword, text, part),
                ElementsAre("<unk>\tN's\u00A0a\u2003b\u3000中", "\n", "\n", "😀,x", "z", "\x01"));
  }
}

TEST(SeparatedTokensTest, OnlyAnEndlessRunIsCut) {
  EXPECT_THAT(Runs(TokenKind::kWhitespace, u"abcd efgh ijklmnop q", 1, 6),
              ElementsAre("abcd", "efgh", "ijklmn", "op", "q"));
}

class TokenImportTest : public testing::Test {
 protected:
  /// Options for a text that is cut by shares, all of it to train on.
  TextImportOptions Options(std::string_view text, std::optional<TokenKind> tokens) {
    TextImportOptions options;
    options.paths = {folder_.Write("text", text)};
    options.output = output_;
    options.tokens = tokens;
    options.split = {100};
    return options;
  }

  /// Options for files of splits.
  TextImportOptions Files(const std::vector<std::string>& texts, TokenKind tokens) {
    TextImportOptions options;
    options.training_paths = {folder_.Write("train", texts.at(0))};
    options.validation_paths = {folder_.Write("validation", texts.at(1))};
    if (texts.size() > 2) options.test_paths = {folder_.Write("test", texts.at(2))};
    options.output = output_;
    options.tokens = tokens;
    return options;
  }

  std::vector<std::string> Tokens(const std::string& split = "train") const {
    const Dataset dataset = Dataset::Open(output_);
    std::vector<int32_t> ids(dataset.split(split).size());
    dataset.Read(dataset.split(split).begin, ids);
    std::vector<std::string> tokens;
    for (const int32_t id : ids) {
      tokens.push_back(dataset.vocabulary().tokens().at(static_cast<size_t>(id)));
    }
    return tokens;
  }

  Vocabulary Stored() const { return Dataset::Open(output_).vocabulary(); }

  std::string Decoded(const std::vector<uint32_t>& ids) const {
    const Vocabulary vocabulary = Stored();
    std::string text;
    std::optional<uint32_t> previous;
    for (const uint32_t id : ids) {
      text += vocabulary.Decode(id, previous);
      previous = id;
    }
    return text;
  }

  TemporaryFolder folder_;
  fs::path output_ = folder_ / "corpus.h5";
};

// As the files of Penn Treebank are: a space at both ends of a line.
TEST_F(TokenImportTest, ATokenisedTextKeepsItsUnknownToken) {
  TextImportOptions options =
      Options(" no <unk> it n't \n it was <unk> <eos> \n", TokenKind::kWhitespace);
  options.line_end.emplace("<eos>");
  const TextImportResult result = ImportText(options);
  EXPECT_EQ(result.kind, TokenKind::kWhitespace);
  EXPECT_EQ(result.unknown_tokens, 0u);
  const Vocabulary vocabulary = Stored();
  EXPECT_THAT(vocabulary.tokens(), ElementsAre("<unk>", "<eos>", "it", "n't", "no", "was"));
  EXPECT_THAT(vocabulary.unknown(), Optional(0u));
  EXPECT_THAT(vocabulary.line_end(), Optional(1u));
  EXPECT_THAT(Tokens(), ElementsAre("no", "<unk>", "it", "n't", "<eos>", "it", "was", "<unk>",
                                    "<eos>", "<eos>"));
  EXPECT_THAT(vocabulary.Encode("was\tstrange\nno"), ElementsAre(5, 0, 1, 4));
  EXPECT_EQ(Decoded({4, 0, 1, 1, 2, 3}), "no <unk>\n\nit n't");
}

TEST_F(TokenImportTest, LineFeedsAreTokensUnlessNoneIsWanted) {
  TextImportOptions options = Options("a b\nb\n", TokenKind::kWhitespace);
  ImportText(options);
  EXPECT_THAT(Tokens(), ElementsAre("a", "b", "\n", "b", "\n"));
  EXPECT_EQ(Decoded(Stored().Encode(" a  b\r\nb\n")), "a b\nb\n");
  options.line_end.emplace("");
  ImportText(options);
  EXPECT_THAT(Tokens(), ElementsAre("a", "b", "b"));
  EXPECT_FALSE(Stored().line_end().has_value());
  EXPECT_THAT(Stored().Encode("a\nb"), ElementsAre(2, 1));
  // A limit takes other tokens, not the line end.
  options = Options("a a a b b c\n", TokenKind::kWhitespace);
  options.vocabulary_limit = 3;
  EXPECT_EQ(ImportText(options).unknown_tokens, 3u);
  EXPECT_THAT(Stored().tokens(), ElementsAre("<unk>", "a", "\n"));
}

TEST_F(TokenImportTest, FilesOfSplitsHaveTheVocabularyOfTheTraining) {
  const TextImportResult words =
      ImportText(Files({"a b\na", "b z\n", "z a a\n"}, TokenKind::kWhitespace));
  EXPECT_THAT(words.split_tokens, ElementsAre(4, 3, 4));
  EXPECT_EQ(words.unknown_tokens, 2u);
  EXPECT_THAT(Stored().tokens(), ElementsAre("<unk>", "a", "\n", "b"));
  EXPECT_THAT(Tokens(), ElementsAre("a", "b", "\n", "a"));
  EXPECT_THAT(Tokens("validation"), ElementsAre("b", "<unk>", "\n"));
  EXPECT_THAT(Tokens("test"), ElementsAre("<unk>", "a", "a", "\n"));

  // Characters have an unknown token only where it is needed.
  ImportText(Files({"ab", "ba"}, TokenKind::kChar));
  EXPECT_THAT(Stored().tokens(), ElementsAre("a", "b"));
  EXPECT_EQ(Dataset::Open(output_).split("test").size(), 0u);
  for (const uint64_t block_bytes : {1, 4096}) {
    TextImportOptions options = Files({"ab", "cac", "b"}, TokenKind::kChar);
    options.block_bytes = block_bytes;
    EXPECT_EQ(ImportText(options).unknown_tokens, 2u);
    EXPECT_THAT(Stored().tokens(), ElementsAre("<unk>", "a", "b"));
    EXPECT_THAT(Tokens("validation"), ElementsAre("<unk>", "a", "<unk>"));
    EXPECT_THAT(Tokens("test"), ElementsAre("b"));
  }
  EXPECT_THAT(
      [&] {
        ImportText(Files({"", "abc"}, TokenKind::kChar));
      },
      ThrowsMessage<InputError>(HasSubstr("to train on")));
}

TEST_F(TokenImportTest, SubwordsAreLearntFromTheTrainingAlone) {
  TextImportOptions options =
      Files({"low lower low\nlow", "lower newest newest newest\n"}, TokenKind::kSubword);
  options.write_codes = folder_ / "codes";
  EXPECT_EQ(ImportText(options).merges, 2u);
  EXPECT_EQ(Bytes(options.write_codes), "#version: 0.2\nl o\nlo w</w>\n");
  // Pieces of the training by count, then what merges pass through, for other words.
  EXPECT_THAT(Stored().tokens(),
              ElementsAre("<unk>", "low", "\n", "e@@", "lo@@", "r", "w@@", "l@@", "o@@", "w"));
  EXPECT_THAT(Tokens(), ElementsAre("low", "lo@@", "w@@", "e@@", "r", "low", "\n", "low"));
  EXPECT_THAT(Stored().line_end(), Optional(2u));
  EXPECT_EQ(Decoded(Stored().Encode("low ower\nlw")), "low ower\nlw");

  // Of a text that is cut, too: splits end at words. The codes file gives the same dataset.
  options = Options("low lower low\nlow lower newest newest newest\n", TokenKind::kSubword);
  options.split = {50, 25, 25};
  const TextImportResult learnt = ImportText(options);
  EXPECT_EQ(learnt.merges, 2u);
  EXPECT_THAT(learnt.split_tokens, ElementsAre(8, 4 + 6, 6 + 6 + 1));
  EXPECT_THAT(Tokens("test").back(), "\n");
  const std::string expected = Bytes(output_);
  options.codes = folder_ / "codes";
  options.block_bytes = 1;
  ImportText(options);
  EXPECT_TRUE(Bytes(output_) == expected);
  options.merges = 1;
  ImportText(options);
  EXPECT_THAT(Tokens(),
              ElementsAre("lo@@", "w", "lo@@", "w@@", "e@@", "r", "lo@@", "w", "\n", "lo@@", "w"));
}

TEST_F(TokenImportTest, LineFeedsOfSubwordsAreCounted) {
  ImportText(Options("a b\na\n\nc\n", TokenKind::kSubword));
  EXPECT_THAT(Stored().tokens(), ElementsAre("<unk>", "\n", "a", "b", "c"));
}

TEST_F(TokenImportTest, ManySubwordsTheSameWhateverTheBlocks) {
  std::string text;
  for (int i = 0; i < 12000; ++i) {  // more words than a counter of little memory has codes for
    text += 'w';
    text += std::to_string(i * 7919 % 8009);
    text += i % 7 ? ' ' : '\n';
  }
  TextImportOptions options = Options(text, TokenKind::kSubword);
  options.split = {80, 10, 10};
  options.merges = 60;
  ImportText(options);
  EXPECT_EQ(Decoded(Stored().Encode(text)), text.substr(0, text.size() - 1));
  const std::string expected = Bytes(output_);
  options.block_bytes = 7;
  options.count_memory_bytes = 4096;
  ImportText(options);
  EXPECT_TRUE(Bytes(output_) == expected);
}

TEST_F(TokenImportTest, AVocabularyOfOursIsTakenWithAllThatBelongsToIt) {
  TextImportOptions options = Options("low Lower lot\nlow", TokenKind::kSubword);
  options.lowercase = true;
  options.line_end.emplace("<eos>");
  ImportText(options);
  const Vocabulary first = Stored();
  const fs::path dataset = folder_ / "first.h5";
  fs::rename(output_, dataset);
  const fs::path checkpoint = folder_ / "step.h5";
  CheckpointHeader header;
  header.vocabulary = first;
  WriteCheckpoint(checkpoint, header, {});
  EXPECT_TRUE(CheckpointReader(checkpoint).header().vocabulary == first);

  for (const fs::path& from : {dataset, checkpoint}) {
    options = Options("LOW\nxlow", std::nullopt);
    options.vocabulary_from = from;
    const TextImportResult result = ImportText(options);
    EXPECT_EQ(result.kind, TokenKind::kSubword);
    EXPECT_EQ(result.unknown_tokens, 1u);
    EXPECT_TRUE(Stored() == first);
    EXPECT_THAT(Tokens(), ElementsAre("low", "<eos>", "<unk>", "low"));
  }
  const auto fails = [&](auto change, const char* what) {
    TextImportOptions changed = options;
    change(changed);
    EXPECT_THAT([&] { ImportText(changed); }, ThrowsMessage<InputError>(HasSubstr(what)));
  };
  fails([](auto& o) { o.tokens = TokenKind::kChar; }, "--tokens");
  fails([](auto& o) { o.normalization = "nfc"; }, "--normalize");
  fails([](auto& o) { o.merges = 7; }, "--merges");
  fails([](auto& o) { o.line_end.emplace("\n"); }, "--line-end");
  fails([](auto& o) { o.vocabulary_limit = 7; }, "--vocabulary-from");
}

TEST_F(TokenImportTest, AVocabularyFromATextFile) {
  TextImportOptions options = Options("b a c\n", TokenKind::kWhitespace);
  options.vocabulary_from = folder_.Write("vocabulary", "a\nb 12\r\n<unk>\t3\n");
  EXPECT_EQ(ImportText(options).unknown_tokens, 1u);
  EXPECT_THAT(Stored().tokens(), ElementsAre("a", "b", "<unk>", "\n"));
  EXPECT_THAT(Tokens(), ElementsAre("b", "a", "<unk>", "\n"));

  options = Options("ab\n", TokenKind::kChar);
  options.vocabulary_from = folder_.Write("vocabulary", "b\n\\n\na\n");
  ImportText(options);
  EXPECT_THAT(Stored().tokens(), ElementsAre("b", "\n", "a"));
  options = Options("abc", TokenKind::kChar);
  options.vocabulary_from = folder_ / "vocabulary";
  EXPECT_EQ(ImportText(options).unknown_tokens, 1u);
  EXPECT_THAT(Stored().tokens(), ElementsAre("b", "\n", "a", "<unk>"));

  const auto fails = [&](const char* list, TokenKind tokens, auto what) {
    TextImportOptions wrong = Options("ab", tokens);
    wrong.vocabulary_from = folder_.Write("vocabulary", list);
    EXPECT_THAT([&] { ImportText(wrong); },
                ThrowsMessage<InputError>(AllOf(HasSubstr("vocabulary"), what)));
  };
  fails("a\nbc\n", TokenKind::kChar, AllOf(HasSubstr("line 2"), HasSubstr("--tokens")));
  fails("a\nb\na 5\n", TokenKind::kWord, AllOf(HasSubstr("line 3"), HasSubstr("line 1")));
  fails("a\n\nb\n", TokenKind::kWord, HasSubstr("line 2"));
  fails("a b\n", TokenKind::kWhitespace, HasSubstr("line 1"));
  fails("a\n\xFF\n", TokenKind::kWhitespace, AllOf(HasSubstr("line 2"), HasSubstr("UTF-8")));
  fails("", TokenKind::kWord, HasSubstr("no token"));
}

TEST_F(TokenImportTest, AVocabularyWithoutUnknownTokenRefusesOthers) {
  ImportText(Options("ab", TokenKind::kChar));
  const fs::path from = folder_ / "first.h5";
  fs::rename(output_, from);
  TextImportOptions options = Options("aab?", std::nullopt);
  options.vocabulary_from = from;
  EXPECT_THAT([&] { ImportText(options); },
              ThrowsMessage<InputError>(
                  AllOf(HasSubstr("\"?\" (3F)"), HasSubstr("text is not"), HasSubstr("first.h5"))));
}

TEST_F(TokenImportTest, ContradictionsAreSaidBeforeTheWork) {
  const auto fails = [&](TokenKind tokens, auto change, const char* what) {
    TextImportOptions options = Options("ab", tokens);
    change(options);
    EXPECT_THAT([&] { ImportText(options); }, ThrowsMessage<InputError>(HasSubstr(what)));
  };
  fails(
      TokenKind::kWord, [](auto& o) { o.line_end.emplace("x"); }, "--line-end");
  fails(
      TokenKind::kWhitespace, [](auto& o) { o.line_end.emplace("x y"); }, "--line-end");
  fails(
      TokenKind::kWhitespace, [](auto& o) { o.line_end.emplace("<unk>"); }, "--line-end");
  fails(
      TokenKind::kChar, [](auto& o) { o.merges = 9; }, "--merges");
  fails(
      TokenKind::kSubword, [](auto& o) { o.training_paths = o.paths; }, "--train");
  fails(
      TokenKind::kSubword,
      [](auto& o) {
        o.validation_paths = o.paths;
        o.paths.clear();
      },
      "--train");
  const fs::path notes = folder_.Write("notes", "what I know");
  fails(
      TokenKind::kSubword, [&](auto& o) { o.write_codes = notes; }, "no codes file");
  fails(
      TokenKind::kSubword, [&](auto& o) { o.codes = notes; }, "notes, line 1");
  EXPECT_EQ(Bytes(notes), "what I know");
  EXPECT_FALSE(fs::exists(output_));
}

TEST(TextEncoderTest, TextsOneByOneAsAVocabularyDoes) {
  const Vocabulary words(TokenKind::kWord, {"<unk>", "a", "b", "\n"}, 0);
  TextEncoder encoder(words);
  for (const char* text : {"a b", "", "b x\na", "a"}) {
    EXPECT_THAT(encoder.Encode(text), ElementsAreArray(words.Encode(text)));
  }
  EXPECT_EQ(encoder.unknown_tokens(), 1u);
  const Vocabulary characters(TokenKind::kChar, {"é", "b"}, std::nullopt);
  TextEncoder strict(characters);
  strict.Encode("ébé");
  EXPECT_THAT([&] { strict.Encode("éx"); },
              ThrowsMessage<InputError>(AllOf(HasSubstr("\"x\""), HasSubstr("byte 2"))));
}

}  // namespace
}  // namespace lockstep::io
