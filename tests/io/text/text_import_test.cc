#include "io/text/text_import.h"

#include <gmock/gmock.h>

#include "io/datasets/dataset.h"
#include "io/errors.h"
#include "tests/io/file_bytes.h"
#include "tests/io/temporary_folder.h"

namespace lockstep::io {
namespace {

using namespace std::string_literals;
using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Optional;
using testing::ThrowsMessage;

namespace fs = std::filesystem;

class TextImportTest : public testing::Test {
 protected:
  /// Options for importing `paths` of the folder.
  TextImportOptions Options(std::vector<fs::path> paths, TokenKind tokens = TokenKind::kChar) {
    TextImportOptions options;
    options.paths = std::move(paths);
    options.output = output_;
    options.tokens = tokens;
    return options;
  }

  /// The dataset's ids.
  std::vector<int32_t> Ids() const {
    const Dataset dataset = Dataset::Open(output_);
    std::vector<int32_t> ids(dataset.size_tokens());
    dataset.Read(0, ids);
    return ids;
  }

  /// The dataset's tokens.
  std::vector<std::string> Tokens() const {
    const Dataset dataset = Dataset::Open(output_);
    std::vector<std::string> tokens;
    for (const int32_t id : Ids()) {
      tokens.push_back(dataset.vocabulary().tokens().at(static_cast<size_t>(id)));
    }
    return tokens;
  }

  /// The dataset's text, decoded as sampling would.
  std::string Text() const {
    const Dataset dataset = Dataset::Open(output_);
    std::string text;
    std::optional<uint32_t> previous;
    for (const int32_t id : Ids()) {
      text += dataset.vocabulary().Decode(static_cast<uint32_t>(id), previous);
      previous = static_cast<uint32_t>(id);
    }
    return text;
  }

  /// Imports `bytes` as one file and returns its text.
  std::string Imported(std::string_view bytes, const std::string& encoding,
                       TokenKind tokens = TokenKind::kChar) {
    TextImportOptions options = Options({folder_.Write("text", bytes)}, tokens);
    options.encoding = encoding;
    ImportText(options);
    return Text();
  }

  TemporaryFolder folder_;
  fs::path output_ = folder_ / "corpus.h5";
};

TEST_F(TextImportTest, CharactersRoundTrip) {
  const std::string text = "Hé, 中文 😀\r\n\te\xCC\x81\n";
  const fs::path file = folder_.Write("a.txt", text);
  const TextImportResult result = ImportText(Options({file}));
  EXPECT_EQ(Text(), text);
  const Dataset dataset = Dataset::Open(output_);
  EXPECT_EQ(dataset.vocabulary().kind(), TokenKind::kChar);
  EXPECT_FALSE(dataset.vocabulary().unknown().has_value());
  EXPECT_EQ(dataset.fingerprint(), result.fingerprint);
  EXPECT_EQ(result.files, 1u);
  EXPECT_EQ(result.bytes, text.size());
  EXPECT_EQ(result.tokens, 14u);
  EXPECT_EQ(result.vocabulary_size, 12u);  // the space and the line feed occur twice
  EXPECT_EQ(result.unknown_tokens, 0u);
  EXPECT_EQ(result.replaced, 0u);
  EXPECT_THAT(dataset.vocabulary().Encode(text), testing::ElementsAreArray(Ids()));
}

TEST_F(TextImportTest, BytesRoundTripAsTheyStand) {
  std::string bytes = "\xEF\xBB\xBF";
  for (int i = 255; i >= 0; --i) bytes += static_cast<char>(i);
  EXPECT_EQ(Imported(bytes, "UTF8", TokenKind::kByte), bytes);
  EXPECT_EQ(Dataset::Open(output_).vocabulary().size(), 256u);
}

TEST_F(TextImportTest, BytesOfAnotherEncodingBecomeUtf8) {
  EXPECT_EQ(Imported("\xD6\xD0", "gbk", TokenKind::kByte), "中");
  EXPECT_EQ(Dataset::Open(output_).vocabulary().size(), 3u);
}

TEST_F(TextImportTest, WordsRoundTrip) {
  const std::string text = "Hello, world!\n循环神经网络很擅长处理序列数据。\n(Hello) world\n";
  ImportText(Options({folder_.Write("a.txt", text)}, TokenKind::kWord));
  EXPECT_EQ(Text(), text);
  const Dataset dataset = Dataset::Open(output_);
  EXPECT_THAT(dataset.vocabulary().unknown(), Optional(0u));
  EXPECT_EQ(dataset.vocabulary().tokens()[1], "\n");
  EXPECT_TRUE(dataset.vocabulary().Find("循环").has_value());
  EXPECT_THAT(dataset.vocabulary().Encode(text), testing::ElementsAreArray(Ids()));
}

TEST_F(TextImportTest, EncodingsOfTheWorld) {
  EXPECT_EQ(Imported("\xD1\xAD\xBB\xB7\x0A", "gbk"), "循环\n");
  EXPECT_EQ(Imported("\x94\x39\xFC\x36\xD6\xD0", "gb18030"), "😀中");
  EXPECT_EQ(Imported("na\xEFve", "latin-1"), "naïve");
  EXPECT_EQ(Imported("\xFF\xFE\x2D\x4E\x3D\xD8\x00\xDE"s, "utf-16"), "中😀");
  EXPECT_EQ(Imported("\xFE\xFF\x4E\x2D"s, "utf-16"), "中");
  EXPECT_EQ(Imported("\x1B$B\x46\x7C\x1B(B.", "iso-2022-jp"), "日.");
}

TEST_F(TextImportTest, AByteOrderMarkIsSkippedAtTheStartOnly) {
  EXPECT_EQ(Imported("\xEF\xBB\xBFz\xEF\xBB\xBF", "utf-8"), "z\xEF\xBB\xBF");
  const fs::path one = folder_.Write("1",
                                     "\xEF\xBB\xBF"
                                     "a\xEF\xBB\xBF");
  const fs::path two = folder_.Write("2",
                                     "\xEF\xBB\xBF"
                                     "b");
  TextImportOptions options = Options({one, two});
  options.block_bytes = 1;
  ImportText(options);
  EXPECT_EQ(Text(),
            "a\xEF\xBB\xBF"
            "b");
}

TEST_F(TextImportTest, FilesAreJoinedInSortedOrder) {
  folder_.Write("t/b.txt", "2");
  folder_.Write("t/a/x.txt", "1");
  folder_.Write("t/empty", "");
  const fs::path last = folder_.Write("last", "3");
  output_ = folder_ / "t/corpus.h5";
  const auto options = Options({folder_ / "t", last, last});
  ImportText(options);
  EXPECT_EQ(Text(), "1233");
  const Dataset dataset = Dataset::Open(output_);
  const std::vector<Source> sources = dataset.ReadSources(100).first;
  ASSERT_EQ(sources.size(), 5u);
  EXPECT_EQ(sources[0].path, (folder_ / "t/a/x.txt").string());
  EXPECT_EQ(sources[0].size, 1u);
  EXPECT_EQ(sources[0].bytes, 1u);
  EXPECT_EQ(sources[2].size, 0u);
  // Once more: the dataset that now stands in the folder is not text.
  ImportText(options);
  EXPECT_EQ(Text(), "1233");
}

TEST_F(TextImportTest, LimitMakesTheRestUnknown) {
  TextImportOptions options = Options({folder_.Write("a", "aaabbc<")});
  options.vocabulary_limit = 3;
  const TextImportResult result = ImportText(options);
  EXPECT_THAT(Tokens(), ElementsAre("a", "a", "a", "b", "b", "<unk>", "<unk>"));
  EXPECT_THAT(Ids(), ElementsAre(1, 1, 1, 2, 2, 0, 0));
  EXPECT_EQ(result.unknown_tokens, 2u);
  EXPECT_EQ(result.vocabulary_size, 3u);
}

TEST_F(TextImportTest, WordsAreLimitedByDefault) {
  std::string text;
  for (int i = 0; i < 60000; ++i) text += std::to_string(i) + " ";
  const TextImportResult result = ImportText(Options({folder_.Write("a", text)}, TokenKind::kWord));
  EXPECT_EQ(result.tokens, 60000u);
  EXPECT_EQ(result.vocabulary_size, 50000u);
  EXPECT_EQ(result.unknown_tokens, 60000u - 49999u);
}

TEST_F(TextImportTest, NormalisationAndLowerCaseAreRememberedByTheVocabulary) {
  TextImportOptions options = Options({folder_.Write("a", "CAFE\xCC\x81 \xEF\xBC\xA1")});
  options.normalization = "nfkc";
  options.lowercase = true;
  ImportText(options);
  EXPECT_EQ(Text(), "café a");
  const Vocabulary vocabulary = Dataset::Open(output_).vocabulary();
  EXPECT_EQ(vocabulary.normalization(), "nfkc");
  EXPECT_TRUE(vocabulary.lowercase());
  EXPECT_THAT(vocabulary.Encode("É"), ElementsAre(vocabulary.Find("é").value()));
  options.tokens = TokenKind::kByte;
  ImportText(options);
  EXPECT_EQ(Text(), "café a");
}

// Tiny blocks and a counter that spills to disk all the time give the same file, byte for byte.
TEST_F(TextImportTest, BlocksAndMemoryDoNotMatter) {
  std::string text;
  for (int i = 0; i < 3000; ++i) {
    text += "word" + std::to_string(i * i % 977) + (i % 11 == 0 ? ".\r\n" : " 循环神经网络, é😀 ");
  }
  const fs::path file = folder_.Write("a.txt", text);
  for (const TokenKind tokens : {TokenKind::kChar, TokenKind::kByte, TokenKind::kWord}) {
    TextImportOptions options = Options({file}, tokens);
    options.normalization = "nfc";
    ImportText(options);
    const std::string expected = Bytes(output_);
    for (const uint64_t block_bytes : {1, 7, 4096}) {
      options.block_bytes = block_bytes;
      options.count_memory_bytes = 4096;
      ImportText(options);
      EXPECT_TRUE(Bytes(output_) == expected) << TokenKindName(tokens) << " " << block_bytes;
    }
  }
}

// Nor do threads and the parts that they work at: with tokens that are nearly a part long, with
// splits that end in the middle of a part and with files of their own, with tokens that no training
// has.
TEST_F(TextImportTest, ThreadsAndPartsDoNotMatter) {
  std::string text;
  for (int i = 0; i < 4000; ++i) {
    text += "Word" + std::to_string(i * i % 977);
    text += i % 11 == 0 ? ".\r\n" : i % 5 == 0 ? " 循环神经网络, é😀 " : "  ";
    if (i % 1000 == 999) text.append(1500, 'x').append("\n").append(700, ' ');
  }
  const fs::path file = folder_.Write("a.txt", text);
  const fs::path test = folder_.Write("c.txt", "Word1 of the test alone: 测试\n");
  const fs::path other = folder_.Write("b.txt", "\xEF\xBB\xBFother Word1 ü\n");
  for (const TokenKind tokens : {TokenKind::kChar, TokenKind::kByte, TokenKind::kWord,
                                 TokenKind::kWhitespace, TokenKind::kSubword}) {
    for (const bool files_of_splits : {false, true}) {
      TextImportOptions options = Options({file, other, file}, tokens);
      if (files_of_splits) {
        options.paths = {};
        options.training_paths = {other, file};
        options.validation_paths = {other};
        options.test_paths = {test, file};
      }
      options.lowercase = tokens == TokenKind::kByte;
      if (tokens == TokenKind::kSubword) options.merges = 30;
      options.split = {70, 10, 20};
      const TextImportResult expected = ImportText(options);
      const std::string bytes = Bytes(output_);
      for (const int threads : {1, 2, 3}) {
        options.threads = threads;
        options.part_units = 2048;  // the longest word fits
        options.block_bytes = threads == 2 ? 1 << 20 : 1000;
        const TextImportResult result = ImportText(options);
        EXPECT_TRUE(Bytes(output_) == bytes)
            << TokenKindName(tokens) << ", " << threads << " threads, " << files_of_splits;
        EXPECT_EQ(result.fingerprint, expected.fingerprint);
        EXPECT_EQ(result.split_tokens, expected.split_tokens);
        EXPECT_EQ(result.unknown_tokens, expected.unknown_tokens);
      }
    }
  }
}

// Parts of UTF-8 are cut as bytes, decoded and normalised by themselves: what follows a cut may be
// a mark, a byte order mark that is none, or wrong.
TEST_F(TextImportTest, PartsOfUtf8AreWhatTheWholeIs) {
  std::string text;
  for (int i = 0; i < 350; ++i) {
    text += "\u039F\u0394\u039F\u03A3 \u0301\u03A3 e\u0301\n\u0301a \uFEFF\n\uFEFF\u00A8";
    text += i % 7 == 0 ? " \xFF\n" : i % 7 == 1 ? "\n\xA9" : i % 7 == 2 ? " \xE4 " : "\r\n";
  }
  const fs::path file = folder_.Write("a.txt", text);
  for (const char* normalization : {"none", "nfkc"}) {
    for (const TokenKind kind : {TokenKind::kChar, TokenKind::kByte, TokenKind::kWord}) {
      TextImportOptions options = Options({file}, kind);
      options.normalization = normalization;
      options.lowercase = true;
      options.replace_invalid = true;
      options.part_units = 1 << 20;
      const TextImportResult expected = ImportText(options);
      EXPECT_EQ(expected.replaced, 150u);
      const std::string bytes = Bytes(output_);
      options.threads = 2;
      for (const uint64_t part_units : {16, 21, 26, 33, 40, 300}) {
        options.part_units = part_units;
        EXPECT_EQ(ImportText(options).replaced, expected.replaced);
        EXPECT_TRUE(Bytes(output_) == bytes) << TokenKindName(kind) << " " << part_units;
      }
    }
  }
}

// A text without spaces is cut where its own punctuation allows it.
TEST_F(TextImportTest, TextsThatCannotBeCutAsBytes) {
  std::string text = "\xEF\xBB\xBFsome words\n";
  for (int i = 0; i < 15000; ++i) text += i % 50 == 49 ? "\u3002" : i % 3 ? "\u5FAA" : "\u73AF";
  text += "\nand others, \u00E9\n";
  const fs::path file = folder_.Write("a.txt", text), other = folder_.Write("b.txt", "a b\n");
  for (const TokenKind kind : {TokenKind::kChar, TokenKind::kWord}) {
    TextImportOptions options = Options({file, other, file}, kind);
    ImportText(options);
    const std::string bytes = Bytes(output_);
    options.part_units = 2048;
    for (const uint64_t block_bytes : {1000, 1 << 20}) {
      options.block_bytes = block_bytes;
      ImportText(options);
      EXPECT_TRUE(Bytes(output_) == bytes) << TokenKindName(kind) << " " << block_bytes;
    }
  }
  text[text.size() - 2] = '\xFF';
  TextImportOptions options = Options({folder_.Write("a.txt", text)});
  options.part_units = 2048;
  options.block_bytes = 1000;
  EXPECT_THAT([&] { ImportText(options); },
              ThrowsMessage<InputError>(
                  HasSubstr("byte offset " + std::to_string(text.size() - 3) + ": C3")));

  // One of a single block, that is neither finished before nor by a line feed.
  text = text.substr(14, 9000);
  options = Options({folder_.Write("a.txt", text), other});
  options.normalization = "nfkc";
  ImportText(options);
  const std::string bytes = Bytes(output_);
  options.part_units = 2048;
  ImportText(options);
  EXPECT_TRUE(Bytes(output_) == bytes);
}

// Splits of subwords end at words; here those begin parts.
TEST_F(TextImportTest, SplitsEndBetweenParts) {
  std::string text;
  for (int i = 0; i < 400; ++i) text += i % 2 == 0 ? "ab " : "ba ";
  TextImportOptions options = Options({folder_.Write("a.txt", text)}, TokenKind::kSubword);
  options.split = {50, 25, 25};
  options.threads = 2;
  for (const uint64_t part_units : {30, 1 << 16}) {
    options.part_units = part_units;
    EXPECT_THAT(ImportText(options).split_tokens, ElementsAre(200, 100, 100)) << part_units;
  }
}

// Of several things that are wrong the first one in the text is told, whatever thread was faster.
TEST_F(TextImportTest, TheFirstErrorOfTheTextIsTold) {
  ImportText(Options({folder_.Write("known.txt", "ab \n")}));
  const fs::path known = folder_ / "known.h5";
  fs::rename(output_, known);
  const auto with_errors = [&](size_t z, size_t q, size_t wrong, bool spaces) {
    std::string text(20000, 'a');
    for (size_t i = 30; spaces && i < text.size(); i += 31) text[i] = ' ';
    text[z] = 'z';
    text[q] = 'q';
    text[wrong] = '\xFF';
    TextImportOptions options = Options({folder_.Write("wrong.txt", text)});
    options.tokens.reset();
    options.vocabulary_from = known;
    options.block_bytes = 64;
    options.part_units = 64;
    options.threads = 2;
    return options;
  };
  for (int i = 0; i < 40; ++i) {
    const bool spaces = i % 2;
    EXPECT_THAT([&] { ImportText(with_errors(9000, 9080, 9180, spaces)); },
                ThrowsMessage<InputError>(HasSubstr("\"z\"")));
    EXPECT_THAT([&] { ImportText(with_errors(9080, 9000, 9180, spaces)); },
                ThrowsMessage<InputError>(HasSubstr("\"q\"")));
    EXPECT_THAT([&] { ImportText(with_errors(15000, 16000, 10500, spaces)); },
                ThrowsMessage<InputError>(HasSubstr("byte offset 10500: FF")));
  }
}

TEST_F(TextImportTest, WrongBytesAreNamedAndNothingIsLeft) {
  folder_.Write("good.txt", "abc");
  const fs::path bad = folder_.Write("bad.txt", std::string(5000, 'x') + "\xE4\xB8" + "y");
  fs::create_directory(folder_ / "out");
  output_ = folder_ / "out/corpus.h5";
  ImportText(Options({folder_ / "good.txt"}));
  const std::string old = Bytes(output_);
  TextImportOptions options = Options({folder_ / "good.txt", bad});
  for (const uint64_t block_bytes : {4, 5001, 1 << 20}) {
    options.block_bytes = block_bytes;
    EXPECT_THAT([&] { ImportText(options); },
                ThrowsMessage<InputError>(AllOf(
                    HasSubstr("bad.txt"), HasSubstr("utf-8"), HasSubstr("offset 5000: E4 B8."),
                    HasSubstr("--invalid replace"), HasSubstr("--encoding"))));
  }
  fs::directory_iterator left(output_.parent_path());
  EXPECT_EQ(left->path(), output_);
  EXPECT_EQ(++left, fs::directory_iterator());
  EXPECT_TRUE(Bytes(output_) == old);

  folder_.Write("bad.txt", "abc\xE4\xB8");
  EXPECT_THAT([&] { ImportText(options); },
              ThrowsMessage<InputError>(AllOf(HasSubstr("offset 3: E4 B8"), HasSubstr("ends"))));
}

TEST_F(TextImportTest, WrongBytesAreReplacedOnRequest) {
  TextImportOptions options = Options({folder_.Write("a",
                                                     "a\xFF\xE4\xB8"
                                                     "b\xE4")});
  options.replace_invalid = true;
  const TextImportResult result = ImportText(options);
  EXPECT_EQ(Text(), "a\uFFFD\uFFFDb\uFFFD");
  EXPECT_EQ(result.replaced, 3u);
}

TEST_F(TextImportTest, AFileThatChangesBetweenThePassesIsAnError) {
  const fs::path file = folder_.Write("a.txt", "abc");
  EXPECT_THAT(
      [&] {
        ImportText(Options({file}), [&](const TextImportProgress& progress) {
          if (progress.pass == 1) folder_.Write("a.txt", "abcd");
        });
      },
      ThrowsMessage<InputError>(HasSubstr("a.txt changed")));
  EXPECT_THAT(folder_.Names(), ElementsAre("a.txt"));
}

// The same size, inode and time, but another text.
TEST_F(TextImportTest, AFileThatChangesUnseenIsAnErrorWhenItsTokensDiffer) {
  const fs::path file = folder_.Write("a.txt", "a b c");
  const auto written = fs::last_write_time(file);
  const auto change_to = [&](const char* text) {
    return [&folder = folder_, file, written, text](const TextImportProgress& progress) {
      if (progress.pass != 1) return;
      folder.Write("a.txt", text);
      fs::last_write_time(file, written);
    };
  };
  const auto changed = ThrowsMessage<InputError>(HasSubstr("a.txt changed"));
  EXPECT_THAT([&] { ImportText(Options({file}), change_to("a b x")); }, changed)
      << "a new character";
  folder_.Write("a.txt", "\u00E9 \u00E9\u00E9");
  fs::last_write_time(file, written);
  EXPECT_THAT([&] { ImportText(Options({file}), change_to("\u00E9     ")); }, changed)
      << "more characters";
  EXPECT_THAT(folder_.Names(), ElementsAre("a.txt"));
}

// What changes behind the only pass that reads them does not matter.
TEST_F(TextImportTest, WordsThatAreCountedAreReadOnce) {
  const fs::path file = folder_ / "a.txt";
  for (const TokenKind kind : {TokenKind::kWord, TokenKind::kWhitespace, TokenKind::kSubword}) {
    folder_.Write("a.txt", "a b c");
    TextImportOptions options = Options({file}, kind);
    options.split = {50, 50};
    ImportText(options);
    const std::string expected = Bytes(output_);
    folder_.Write("a.txt", "a b c");
    ImportText(options, [&](const TextImportProgress& progress) {
      if (progress.pass == 1) folder_.Write("a.txt", "other words");
    });
    EXPECT_TRUE(Bytes(output_) == expected) << TokenKindName(kind);
  }
}

TEST_F(TextImportTest, WhatIsWrongIsSaidBeforeTheWork) {
  const fs::path file = folder_.Write("a.txt", "abc");
  const auto fails = [&](auto change, const std::string& message) {
    TextImportOptions options = Options({file});
    change(options);
    bool worked = false;
    EXPECT_THAT([&] { ImportText(options, [&](const TextImportProgress&) { worked = true; }); },
                ThrowsMessage<InputError>(HasSubstr(message)));
    EXPECT_FALSE(worked) << message;
  };
  fails([&](auto& options) { options.paths = {folder_ / "missing"}; }, "missing");
  fails([&](auto& options) { options.output = folder_ / "no/such/corpus.h5"; }, "no/such");
  fails([&](auto& options) { options.output = folder_.path(); }, folder_.path().string());
  fails([&](auto& options) { options.encoding = "utf-88"; }, "utf-88");
  fails([&](auto& options) { options.normalization = "nfx"; }, "nfx");
  fails([&](auto& options) { options.vocabulary_limit = 1; }, "limit");
  fails([&](auto& options) { options.split = {90, 5, -5}; }, "split");
  EXPECT_THAT(folder_.Names(), ElementsAre("a.txt"));
}

TEST_F(TextImportTest, NoTokensIsAnError) {
  const fs::path empty = folder_.Write("empty.txt", "");
  EXPECT_THAT([&] { ImportText(Options({empty})); },
              ThrowsMessage<InputError>(HasSubstr("no char")));
  const fs::path blank = folder_.Write("blank.txt", "  \t ");
  EXPECT_THAT([&] { ImportText(Options({blank}, TokenKind::kWord)); },
              ThrowsMessage<InputError>(HasSubstr("no word")));
  EXPECT_THAT([&] { ImportText(Options({})); }, ThrowsMessage<InputError>(HasSubstr("0 files")));
}

TEST_F(TextImportTest, ProgressEndsEachPassWithTheTotals) {
  const fs::path file = folder_.Write("a.txt", "abcé");
  std::vector<TextImportProgress> reports;
  ImportText(Options({file, file}), [&](const TextImportProgress& now) { reports.push_back(now); });
  ASSERT_GE(reports.size(), 2u);
  int pass = 1;
  for (size_t i = 0; i < reports.size(); ++i) {
    EXPECT_GE(reports[i].pass, pass);
    pass = reports[i].pass;
    EXPECT_EQ(reports[i].bytes_total, 10u);
    const bool last_of_pass = i + 1 == reports.size() || reports[i + 1].pass != pass;
    if (!last_of_pass) continue;
    EXPECT_EQ(reports[i].bytes_done, 10u);
    EXPECT_EQ(reports[i].tokens, 8u);
  }
  EXPECT_EQ(pass, 2);
}

}  // namespace
}  // namespace lockstep::io
