#include "io/text/text_map.h"

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <string_view>
#include <vector>

#include <gmock/gmock.h>

namespace lockstep::io {
namespace {

TEST(TextMapTest, FindsWhatWasAddedAndNothingElse) {
  TextMap map;
  std::map<std::string, uint64_t> expected;
  std::vector<std::string> order;
  EXPECT_EQ(map.Find(""), nullptr);
  std::mt19937 random(7);
  for (uint64_t i = 0; i < 50000; ++i) {
    std::string text = std::to_string(random() % 30000);
    if (random() % 10 == 0) text.assign(random() % 40, '\0');
    const uint64_t* found = map.Find(text);
    ASSERT_EQ(found != nullptr, expected.contains(text)) << text;
    if (found != nullptr) {
      ASSERT_EQ(*found, expected[text]);
      *map.Find(text) = expected[text] = i;
    } else {
      map.Add(text, i);
      expected[text] = i;
      order.push_back(text);
    }
  }
  EXPECT_EQ(map.size(), expected.size());
  size_t next = 0;
  map.ForEach([&](std::string_view text, uint64_t number) {
    ASSERT_EQ(text, order[next++]);
    ASSERT_EQ(number, expected[std::string(text)]);
  });
  EXPECT_EQ(next, order.size());

  map.Clear();
  EXPECT_EQ(map.size(), 0u);
  EXPECT_EQ(map.Find(order[0]), nullptr);
  map.Add(order[0], 3);
  EXPECT_EQ(*map.Find(order[0]), 3u);
}

// Also those that `use` has added within the same call.
TEST(TextMapTest, FindsEachOfMany) {
  std::mt19937 random(3);
  std::vector<std::string> texts;
  for (int i = 0; i < 20000; ++i) {
    // All lengths up to 20, and texts that differ in one place.
    texts.push_back(std::string(random() % 21, 'a'));
    if (!texts.back().empty()) texts.back()[random() % texts.back().size()] += random() % 20;
  }
  TextMap map;
  std::map<std::string, uint64_t> expected;
  uint64_t next = 0, calls = 0;
  const std::vector<std::string_view> views(texts.begin(), texts.end());
  map.FindEach(views, [&](size_t i, uint64_t* number) {
    ASSERT_EQ(i, calls++);
    const auto known = expected.find(texts[i]);
    ASSERT_EQ(number != nullptr, known != expected.end()) << texts[i];
    if (number) {
      ASSERT_EQ(*number, known->second);
      return;
    }
    map.Add(texts[i], next);
    expected[texts[i]] = next++;
  });
  EXPECT_EQ(calls, texts.size());
  EXPECT_GT(expected.size(), 3000u);
  const TextMap& constant = map;
  constant.FindEach(views, [&](size_t i, const uint64_t* number) {
    ASSERT_NE(number, nullptr);
    ASSERT_EQ(*number, expected[texts[i]]);
  });
}

TEST(TextMapTest, SaysWhatItWillTake) {
  TextMap map;
  for (int i = 0; i < 1000; ++i) {
    const std::string text = std::to_string(i);
    const size_t foretold = map.BytesWith(text.size());
    map.Add(text, 0);
    // Of a slot (16 bytes) at least two a text, of a record 24; foretold is the peak on the way.
    EXPECT_GE(foretold, map.size() * (2 * 16 + 24));
    EXPECT_LE(foretold, map.size() * ((2 + 4) * 16 + 24) + 16 * 16 * 2);
  }
}

}  // namespace
}  // namespace lockstep::io
