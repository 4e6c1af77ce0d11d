#include "proto/text_place.h"

#include <string>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lockstep::proto {
namespace {

using State = TextPlace::State;
using ::testing::ElementsAre;
using ::testing::IsEmpty;

// The place at the first '@', which is taken out of the text.
TextPlace PlaceAt(std::string text) {
  const std::size_t at = text.find('@');
  text.erase(at, 1);
  const std::string before = text.substr(0, at);
  const std::size_t line_begin = before.rfind('\n') + 1;
  const int line = static_cast<int>(std::count(before.begin(), before.end(), '\n'));
  return FindPlace(text, {line, static_cast<int>(at - line_begin)});
}

TEST(TextPlaceTest, AfterAName) {
  const TextPlace place = PlaceAt("a {\n  b @: 3 }");
  EXPECT_EQ(place.state, State::kAfterName);
  EXPECT_THAT(place.path, ElementsAre("a", "b"));
  EXPECT_EQ(place.name.line, 1);
  EXPECT_EQ(place.name.column, 2);
}

TEST(TextPlaceTest, NameOnAnEarlierLine) {
  const TextPlace place = PlaceAt("a\n\n# a comment {\n@{ }");
  EXPECT_EQ(place.state, State::kAfterName);
  EXPECT_THAT(place.path, ElementsAre("a"));
  EXPECT_EQ(place.name.line, 0);
}

TEST(TextPlaceTest, AtAValue) {
  const TextPlace place = PlaceAt("a: < b: @x >");
  EXPECT_EQ(place.state, State::kAtValue);
  EXPECT_THAT(place.path, ElementsAre("a", "b"));
}

TEST(TextPlaceTest, AfterAValue) {
  const TextPlace place = PlaceAt("a { b: -5 @c: 6 }");
  EXPECT_EQ(place.state, State::kAfterValue);
  EXPECT_THAT(place.path, ElementsAre("a", "b"));
  EXPECT_EQ(place.value_text, "-5");
  EXPECT_EQ(place.value.column, 7);
}

TEST(TextPlaceTest, BetweenFields) {
  EXPECT_THAT(PlaceAt("a { @ }").path, ElementsAre("a"));
  EXPECT_THAT(PlaceAt("a { b { c: 1 } @ }").path, ElementsAre("a"));
  const TextPlace end = PlaceAt("a { b { c: \"}\"; d: '{' } }@");
  EXPECT_EQ(end.state, State::kBetweenFields);
  EXPECT_THAT(end.path, IsEmpty());
}

TEST(TextPlaceTest, BracesThatDoNotMatchAreBorne) {
  EXPECT_THAT(PlaceAt("} } a { @").path, ElementsAre("a"));
}

}  // namespace
}  // namespace lockstep::proto
