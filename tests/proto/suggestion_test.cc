#include "proto/suggestion.h"

#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace lockstep::proto {
namespace {

const std::vector<std::string> kNames = {"path", "lanes", "time_steps", "hidden_size"};

TEST(SuggestionTest, NearestNameByEditDistance) {
  EXPECT_EQ(Suggest("lane", kNames), "did you mean lanes?");
  EXPECT_EQ(Suggest("lnaes", std::vector<std::string>{"lakes", "lanes"}),
            "known here: lakes, lanes");
  EXPECT_EQ(Suggest("time_stops", kNames), "did you mean time_steps?");
  EXPECT_EQ(Suggest("pith", std::vector<std::string>{"patch", "path"}), "did you mean path?");
}

TEST(SuggestionTest, CaseDoesNotMatter) {
  EXPECT_EQ(Suggest("lstm", std::vector<std::string>{"GRU", "LSTM"}), "did you mean LSTM?");
}

TEST(SuggestionTest, BeginningOfANameIsNear) {
  EXPECT_EQ(Suggest("hidden", kNames), "did you mean hidden_size?");
  EXPECT_EQ(Suggest("path_to_data", kNames), "did you mean path?");
  EXPECT_EQ(Suggest("hi", kNames), "known here: path, lanes, time_steps, hidden_size");
}

TEST(SuggestionTest, UnrelatedNamesAreNotOffered) {
  EXPECT_EQ(Suggest("batch", kNames), "known here: path, lanes, time_steps, hidden_size");
  EXPECT_EQ(Suggest("", kNames), "known here: path, lanes, time_steps, hidden_size");
  EXPECT_EQ(Suggest("x", std::vector<std::string>{}), "nothing is known here");
}

}  // namespace
}  // namespace lockstep::proto
