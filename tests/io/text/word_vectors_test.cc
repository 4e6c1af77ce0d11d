#include "io/text/word_vectors.h"

#include <gmock/gmock.h>
#include <zlib.h>

#include "io/errors.h"
#include "tests/io/temporary_folder.h"

namespace lockstep::io {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

Vocabulary Words() {
  return Vocabulary(TokenKind::kWhitespace, {"<unk>", "the", "The", "É", "\n", "rare"}, 0, "none",
                    false, 4);
}

void ExpectAll(const WordVectors& vectors) {
  EXPECT_EQ(vectors.size, 2u);
  EXPECT_THAT(vectors.found, ElementsAre(0, 1, 1, 1, 1, 0));
  EXPECT_THAT(vectors.rows, ElementsAre(0, 0, 1, -2, 1, -2, 0.5, 4, 7, 8, 0, 0));
  EXPECT_EQ(vectors.found_count, 4u);
  EXPECT_EQ(vectors.lowercase_count, 2u);  // The, É
}

TEST(WordVectorsTest, Word2vecGloveAndGzip) {
  const TemporaryFolder folder;
  const std::string lines = "other x y\nthe 1 -2e0\né 0.5 4 \nthe 5 5\n</s> 7 8\n. . . 1 1\n";
  ExpectAll(ReadWordVectors(folder.Write("glove.txt", lines), Words()));
  ExpectAll(ReadWordVectors(folder.Write("w2v.txt", "6 2\n" + lines), Words()));
  const std::string packed = (folder / "w2v.txt.gz").string();
  gzFile file = gzopen(packed.c_str(), "wb");
  gzwrite(file, lines.data(), static_cast<unsigned>(lines.size()));
  gzclose(file);
  ExpectAll(ReadWordVectors(packed, Words()));
}

TEST(WordVectorsTest, TheExactTextIsBetterThanItsLowerCase) {
  const TemporaryFolder folder;
  for (const char* text : {"the 1\nThe 2\n", "The 2\nthe 1\n"}) {
    const WordVectors vectors = ReadWordVectors(folder.Write("v", text), Words());
    EXPECT_THAT(vectors.rows, ElementsAre(0, 1, 2, 0, 0, 0)) << text;
    EXPECT_EQ(vectors.lowercase_count, 0u);
  }
}

TEST(WordVectorsTest, WhatIsWrongIsNamedWithItsLine) {
  const TemporaryFolder folder;
  const auto fails = [&](const char* text, auto what) {
    const auto path = folder.Write("v.txt", text);
    EXPECT_THAT([&] { ReadWordVectors(path, Words()); },
                ThrowsMessage<InputError>(AllOf(HasSubstr("v.txt"), what)))
        << text;
  };
  fails("a 1 2\nb 1\n", AllOf(HasSubstr("line 2"), HasSubstr("2 numbers"), HasSubstr("2 fields")));
  fails("a 1 2\nb 1 2 3\n", AllOf(HasSubstr("line 2"), HasSubstr("4 fields")));
  fails("2 3\na 1 2\n", AllOf(HasSubstr("line 2"), HasSubstr("3 numbers")));
  fails("a 1 2\nthe 1 x\n", AllOf(HasSubstr("line 2"), HasSubstr("\"x\""), HasSubstr("value 2")));
  fails("the nan 1\n", AllOf(HasSubstr("line 1"), HasSubstr("nan")));
  fails("the 1e99 1\n", HasSubstr("1e99"));
  fails("a 1\n\n", HasSubstr("line 2"));
  fails("word\n", HasSubstr("line 1"));
  fails("3 2\na 1 2\nb 1 2\n", AllOf(HasSubstr("2 vectors"), HasSubstr("says 3")));
  fails("", HasSubstr("no vector"));
  fails("5 0\n", HasSubstr("no numbers"));
}

}  // namespace
}  // namespace lockstep::io
