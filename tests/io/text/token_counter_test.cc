#include "io/text/token_counter.h"

#include <algorithm>
#include <map>
#include <random>
#include <string>

#include <gmock/gmock.h>

#include "tests/io/temporary_folder.h"

namespace lockstep::io {
namespace {

using testing::ElementsAre;
using testing::IsEmpty;
using testing::Pair;

using Counts = std::vector<std::pair<std::string, uint64_t>>;

Counts Drain(TokenCounter* counter) {
  Counts counts;
  counter->Drain([&](const TokenCount& token) { counts.emplace_back(token.token, token.count); });
  return counts;
}

TEST(TokenCounterTest, CountsInTheOrderOfBytes) {
  const TemporaryFolder folder;
  TokenCounter counter(folder.path(), 1 << 20);
  for (const char* token : {"b", "a", "\xC3\xA9", "b", "ab", "B"}) counter.Add(token);
  EXPECT_THAT(Drain(&counter), ElementsAre(Pair("B", 1), Pair("a", 1), Pair("ab", 1), Pair("b", 2),
                                           Pair("\xC3\xA9", 1)));
  EXPECT_THAT(Drain(&counter), IsEmpty());
  EXPECT_THAT(folder.Names(), IsEmpty());
}

// 4,096 bytes hold about 30 entries; the merge then gets at most two runs before it joins them, and
// records straddle its buffers.
TEST(TokenCounterTest, DiskGivesTheCountsThatMemoryGives) {
  for (const size_t memory_bytes : {4096, 20000, 100000, 10000000}) {
    const TemporaryFolder folder;
    TokenCounter counter(folder.path(), memory_bytes);
    std::map<std::string, uint64_t> expected;
    std::mt19937 random(11);
    for (int i = 0; i < 30000; ++i) {
      // Some tokens often, most of them once or twice, some of them long, with zero bytes.
      std::string token = std::to_string(random() % (random() % 10000 + 1));
      if (random() % 50 == 0) token += std::string(random() % 300, '\0');
      counter.Add(token);
      ++expected[token];
    }
    EXPECT_TRUE(Drain(&counter) == Counts(expected.begin(), expected.end())) << memory_bytes;
    EXPECT_THAT(folder.Names(), IsEmpty());
    // And once more with the same counter.
    counter.Add("x");
    EXPECT_THAT(Drain(&counter), ElementsAre(Pair("x", 1)));
  }
}

TEST(TokenCounterTest, CountersAddUp) {
  for (const size_t memory_bytes : {4096, 10000000}) {
    const TemporaryFolder folder;
    TokenCounter counter(folder.path(), memory_bytes), other(folder.path(), memory_bytes);
    std::map<std::string, uint64_t> expected;
    for (int i = 0; i < 3000; ++i) {
      const std::string token = std::to_string(i * i % 977);
      (i % 3 == 0 ? counter : other).Add(token);
      ++expected[token];
    }
    counter.Add(&other);
    EXPECT_THAT(Drain(&other), IsEmpty());
    EXPECT_TRUE(Drain(&counter) == Counts(expected.begin(), expected.end())) << memory_bytes;
  }
}

std::vector<std::string> Texts(std::span<const TokenCode> codes,
                               std::span<const std::string_view> coded) {
  std::vector<std::string> texts;
  ForEachToken(
      codes, [&](TokenCode code) { texts.emplace_back(coded[code]); },
      [&](std::string_view token) { texts.emplace_back(token); });
  return texts;
}

// In 4,096 bytes most tokens have no code, in a megabyte all but those that are too long have one.
TEST(TokenCounterTest, CodesStandForTokensThatAreCountedOrNot) {
  for (const size_t memory_bytes : {4096, 1 << 20}) {
    const TemporaryFolder folder;
    TokenCounter counter(folder.path(), memory_bytes, 20), other(folder.path(), memory_bytes, 20);
    std::vector<std::string> texts;
    for (int i = 0; i < 3000; ++i) texts.push_back(std::to_string(i * i % 977));
    texts[7] = texts[2007] = std::string(21, 'x');
    texts[1007] = texts[2008] = "";
    const std::vector<std::string_view> tokens(texts.begin(), texts.end());
    std::map<std::string, uint64_t> expected;
    std::vector<TokenCode> codes;
    for (size_t at = 0; at < tokens.size(); at += 300) {
      const size_t counted = at % 900 == 0 ? 300 : 17;
      counter.Add(std::span(tokens).subspan(at, 300), counted, &codes);
      for (size_t i = 0; i < counted; ++i) {
        if (tokens[at + i].size() <= 20) ++expected[texts[at + i]];
      }
    }
    EXPECT_EQ(codes.size() > 2 * tokens.size(), memory_bytes == 4096);
    EXPECT_TRUE(Texts(codes, counter.Coded()) == texts) << memory_bytes;
    other.Add(&counter);
    EXPECT_TRUE(Drain(&other) == Counts(expected.begin(), expected.end())) << memory_bytes;
    EXPECT_THAT(Drain(&counter), IsEmpty());
    EXPECT_TRUE(Texts(codes, counter.Coded()) == texts) << "behind its counts " << memory_bytes;
  }
}

TEST(TokenCounterTest, CodesEnd) {
  const TemporaryFolder folder;
  TokenCounter counter(folder.path(), 64 << 20);
  std::vector<TokenCode> codes;
  for (size_t i = 0; i < kMostCodes + 2; ++i) {
    const std::string text = std::to_string(i);
    const std::string_view token = text;
    counter.Add({&token, 1}, 1, &codes);
  }
  EXPECT_EQ(counter.Coded().size(), kMostCodes);
  EXPECT_EQ(Texts(codes, counter.Coded()).back(), std::to_string(kMostCodes + 1));
  EXPECT_EQ(Drain(&counter).size(), kMostCodes + 2);
}

TEST(TokenRecordTest, PartsComeBackInTheirOrder) {
  const TemporaryFolder folder;
  TokenRecord record(folder.path());
  std::vector<TokenCode> with_text = {1, 2};
  AppendText("odd", &with_text);
  AppendText(std::string(70001, 'y'), &with_text);
  with_text.push_back(3);
  const std::vector<std::vector<TokenCode>> parts = {{5}, {}, with_text, {0, 0xFFFE}};
  for (size_t i = 0; i < parts.size(); ++i) {
    record.Append({.file = i, .bytes = 10 * i, .tokens = 7 + i, .counter = 3, .ends_file = i % 2},
                  parts[i]);
  }
  EXPECT_THAT(folder.Names(), IsEmpty());
  for (int times = 0; times < 2; ++times) {
    size_t i = 0;
    record.ForEach([&](const TokenRecord::Part& part, std::span<const TokenCode> codes) {
      EXPECT_EQ(part.file, i);
      EXPECT_EQ(part.bytes, 10 * i);
      EXPECT_EQ(part.tokens, 7 + i);
      EXPECT_EQ(part.counter, 3u);
      EXPECT_EQ(part.ends_file, i % 2);
      ASSERT_TRUE(std::ranges::equal(codes, parts.at(i)));
      ++i;
    });
    EXPECT_EQ(i, parts.size());
  }
  const std::vector<std::string_view> coded = {"a", "b", "c", "d"};
  EXPECT_THAT(Texts(with_text, coded), ElementsAre("b", "c", "odd", std::string(70001, 'y'), "d"));
}

TEST(TokenCounterTest, TheTemporaryFileHasNoName) {
  const TemporaryFolder folder;
  TokenCounter counter(folder.path(), 4096);
  for (int i = 0; i < 1000; ++i) counter.Add(std::to_string(i));
  EXPECT_THAT(folder.Names(), IsEmpty());
  // It was written, though: the folder cannot have gone unused.
  const TemporaryFolder gone;
  TokenCounter nowhere(gone / "missing", 4096);
  EXPECT_ANY_THROW({
    for (int i = 0; i < 1000; ++i) nowhere.Add(std::to_string(i));
  });
}

TEST(SortedRunsTest, MergesRunsWhoseTokensOverlap) {
  const TemporaryFolder folder;
  for (const size_t memory_bytes : {0, 1 << 20}) {  // 0: joins every second run
    SortedRuns runs(folder.path(), memory_bytes);
    EXPECT_TRUE(runs.empty());
    runs.Add(std::vector<TokenCount>{{"a", 1}, {"c", 2}});
    runs.Add(std::vector<TokenCount>{{"b", 3}, {"c", 4}, {"d", 5}});
    runs.Add(std::vector<TokenCount>{});
    runs.Add(std::vector<TokenCount>{{"a", uint64_t{1} << 40}});
    Counts counts;
    runs.Merge([&](const TokenCount& token) { counts.emplace_back(token.token, token.count); });
    EXPECT_THAT(counts, ElementsAre(Pair("a", (uint64_t{1} << 40) + 1), Pair("b", 3), Pair("c", 6),
                                    Pair("d", 5)));
  }
}

}  // namespace
}  // namespace lockstep::io
