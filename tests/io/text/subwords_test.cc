#include "io/text/subwords.h"

#include <fstream>
#include <map>
#include <sstream>

#include <gmock/gmock.h>
#include <nlohmann/json.hpp>

#include "io/errors.h"
#include "io/text/vocabulary.h"
#include "tests/io/file_bytes.h"
#include "tests/io/temporary_folder.h"

namespace lockstep::io {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::ThrowsMessage;

using Merges = std::vector<Subwords::Merge>;

/// What subword-nmt made; golden/make_subword_nmt.py says of what.
const nlohmann::json& Golden() {
  static const nlohmann::json golden = [] {
    std::ifstream file(std::string(LOCKSTEP_IO_TEXT_GOLDEN) + "/subword_nmt.json");
    return nlohmann::json::parse(file);
  }();
  return golden;
}

std::vector<std::string> WordsOf(const std::string& line) {
  std::istringstream words(line);
  std::vector<std::string> split;
  for (std::string word; std::getline(words, word, ' ');) split.push_back(word);
  return split;
}

Subwords LearntFromGolden(uint64_t merges) {
  std::map<std::string, uint64_t> counts;
  for (size_t i = 0; i < Golden().at("learnt_from"); ++i) {
    for (const std::string& word : WordsOf(Golden().at("lines").at(i))) ++counts[word];
  }
  std::vector<CountedWord> words;
  for (const auto& [word, count] : counts) words.push_back({word, count});
  return Subwords::Learn(words, merges);
}

std::string Segmented(const Subwords& subwords, const std::string& line) {
  std::string segmented;
  for (const std::string& word : WordsOf(line)) {
    for (const std::string& piece : subwords.Segment(word)) {
      segmented += (segmented.empty() ? "" : " ") + piece;
    }
  }
  return segmented;
}

TEST(SubwordsTest, LearnsTheCodesThatSubwordNmtLearns) {
  const TemporaryFolder folder;
  LearntFromGolden(1000).WriteCodes(folder / "codes");
  EXPECT_EQ(Bytes(folder / "codes"), Golden().at("codes"));
  // Fewer are the first ones.
  const Subwords few = LearntFromGolden(40);
  EXPECT_EQ(few.merges(), Subwords::ReadCodes(folder / "codes", 40).merges());
}

TEST(SubwordsTest, SegmentsAsSubwordNmtDoes) {
  const TemporaryFolder folder;
  const auto path = folder.Write("codes", std::string(Golden().at("codes")));
  const Subwords all = Subwords::ReadCodes(path);
  const Subwords few = Subwords::ReadCodes(path, 40);
  for (size_t i = 0; i < Golden().at("lines").size(); ++i) {
    const std::string line = Golden().at("lines").at(i);
    EXPECT_EQ(Segmented(all, line), Golden().at("segmented").at(i));
    EXPECT_EQ(Segmented(few, line), Golden().at("segmented_by_40").at(i));
  }
}

// Sennrich et al. 2016, algorithm 1.
TEST(SubwordsTest, ThePapersWords) {
  const std::vector<CountedWord> words = {{"low", 5}, {"lower", 2}, {"newest", 6}, {"widest", 3}};
  const Subwords subwords = Subwords::Learn(words, 6);
  EXPECT_THAT(subwords.merges(),
              ElementsAre(Subwords::Merge{"s", "t</w>"}, Subwords::Merge{"e", "st</w>"},
                          Subwords::Merge{"l", "o"}, Subwords::Merge{"w", "est</w>"},
                          Subwords::Merge{"n", "e"}, Subwords::Merge{"ne", "west</w>"}));
  EXPECT_THAT(subwords.Segment("lowest"), ElementsAre("lo@@", "west"));
  EXPECT_THAT(subwords.Segment("newest"), ElementsAre("newest"));
  EXPECT_THAT(subwords.Segment("x"), ElementsAre("x"));
  EXPECT_THAT(subwords.Segment("lé"), ElementsAre("l@@", "é"));
  EXPECT_THAT(subwords.Stages("lost"), ElementsAre("l@@", "o@@", "s@@", "t", "st", "lo@@"));
}

TEST(SubwordsTest, RarePairsAreNotMerged) {
  EXPECT_THAT(Subwords::Learn(std::vector<CountedWord>{{"ab", 1}, {"cd", 1}}, 10).merges(),
              testing::IsEmpty());
  EXPECT_THAT(Subwords::Learn(std::vector<CountedWord>{{"ab", 1}}, 10, 1).merges(),
              testing::SizeIs(1));
  EXPECT_THAT(Subwords::Learn(std::vector<CountedWord>{{"a", 9}}, 10).merges(), testing::IsEmpty());
  EXPECT_THAT(Subwords::Learn({}, 10).merges(), testing::IsEmpty());
}

// A word of 30,000 characters takes no time that grows with its square.
TEST(SubwordsTest, LongWords) {
  std::string word;
  for (int i = 0; i < 10000; ++i) word += "abc";
  const Subwords subwords(Merges{{"a", "b"}, {"ab", "c"}, {"abc", "abc"}, {"abcabc", "abcabc"}});
  const std::vector<std::string> pieces = subwords.Segment(word);
  EXPECT_EQ(pieces.size(), 2503u);
  EXPECT_EQ(pieces.front(), "abcabcabcabc@@");
  EXPECT_EQ(pieces.back(), "c");  // "c</w>" is none of the merges'
}

TEST(SubwordsTest, CodesFilesThatAreNone) {
  const TemporaryFolder folder;
  const auto fails = [&](const char* text, auto what) {
    const auto path = folder.Write("codes", text);
    EXPECT_THAT([&] { Subwords::ReadCodes(path); },
                ThrowsMessage<InputError>(AllOf(HasSubstr("codes, line "), what)));
  };
  fails("", HasSubstr("line 1"));
  fails("a b\n", HasSubstr("#version: 0.2"));
  fails("#version: 0.2\na b\nab\n", AllOf(HasSubstr("line 3"), HasSubstr("\"ab\"")));
  fails("#version: 0.2\na b c\n", HasSubstr("line 2"));
  EXPECT_THAT(Subwords::ReadCodes(folder.Write("codes", "#version: 0.2\r\na b \r\n\n")).merges(),
              ElementsAre(Subwords::Merge{"a", "b"}));
  EXPECT_THROW(Subwords(Merges{{"a", ""}}), InputError);
  EXPECT_THROW(Subwords(Merges{{"a b", "c"}}), InputError);
}

TEST(SubwordsTest, AVocabularyUndoesThePieces) {
  const auto subwords =
      std::make_shared<const Subwords>(std::vector<Subwords::Merge>{{"l", "o"}, {"lo", "w</w>"}});
  const Vocabulary vocabulary(TokenKind::kSubword, {"<unk>", "lo@@", "low", "s@@", "t", "\n", "@@"},
                              0, "none", false, 5, subwords);
  const std::vector<uint32_t> ids = vocabulary.Encode("  low lot\r\n\nst\tx t @@");
  EXPECT_THAT(ids, ElementsAre(2, 1, 4, 5, 5, 3, 0, 0, 0, 4, 0, 0));
  std::string text;
  std::optional<uint32_t> previous;
  for (const uint32_t id : {2u, 1u, 4u, 5u, 5u, 3u, 0u, 4u, 6u, 4u}) {
    text += vocabulary.Decode(id, previous);
    previous = id;
  }
  EXPECT_EQ(text, "low lot\n\ns<unk> t @@ t");
  const auto with = [&](std::shared_ptr<const Subwords> other, std::optional<uint32_t> line_end) {
    return Vocabulary(TokenKind::kSubword, vocabulary.tokens(), 0, "none", false, line_end, other);
  };
  EXPECT_TRUE(vocabulary == with(std::make_shared<const Subwords>(*subwords), 5));
  EXPECT_FALSE(vocabulary == with(std::make_shared<const Subwords>(LearntFromGolden(2)), 5));
  EXPECT_FALSE(vocabulary == with(subwords, std::nullopt));
  EXPECT_THAT([&] { with(nullptr, 5); }, ThrowsMessage<InputError>(HasSubstr("merges")));
  EXPECT_THAT([&] { with(subwords, 7); }, ThrowsMessage<InputError>(HasSubstr("line end")));
}

}  // namespace
}  // namespace lockstep::io
