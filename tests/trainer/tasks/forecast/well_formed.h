#ifndef LOCKSTEP_TESTS_TRAINER_TASKS_FORECAST_WELL_FORMED_H_
#define LOCKSTEP_TESTS_TRAINER_TASKS_FORECAST_WELL_FORMED_H_

#include <regex>
#include <string>
#include <vector>

#include <gtest/gtest.h>

namespace lockstep::trainer {

/// Fails unless every tag is closed, in order, there is no loose & or <, and no number that is
/// none.
inline void ExpectWellFormed(const std::string& svg) {
  std::vector<std::string> open;
  const std::regex tag("<(/?)([a-z]+)([^<>]*[^<>/])?(/?)>");
  std::string text = std::regex_replace(svg, std::regex("^<\\?xml[^>]*\\?>"), "");
  for (std::sregex_iterator at(text.begin(), text.end(), tag), end; at != end; ++at) {
    if (at->str(1).empty() && at->str(4).empty()) open.push_back(at->str(2));
    if (at->str(1).empty()) continue;
    ASSERT_FALSE(open.empty());
    EXPECT_EQ(open.back(), at->str(2));
    open.pop_back();
  }
  EXPECT_TRUE(open.empty());
  text = std::regex_replace(text, tag, "");
  EXPECT_EQ(text.find('<'), std::string::npos);
  EXPECT_FALSE(std::regex_search(text, std::regex("&(?!(amp|lt|gt|quot);)")));
  EXPECT_FALSE(std::regex_search(svg, std::regex("[ML\" ]-?(nan|inf)")));
}

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TESTS_TRAINER_TASKS_FORECAST_WELL_FORMED_H_
