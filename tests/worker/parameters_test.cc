#include "worker/parameters.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lockstep::worker {
namespace {

TEST(ParametersTest, ViewsLieBehindOneAnotherInBothBuffers) {
  Parameters parameters;
  const int first = parameters.Add("a", {2, 3});
  const int second = parameters.Add("b", {4});
  const int third = parameters.Add("c", {1, 1, 5});
  parameters.Allocate();
  EXPECT_EQ(parameters.size(), 15);
  EXPECT_EQ(parameters.list()[second].offset, 6);
  EXPECT_EQ(parameters.list()[third].size, 5);
  EXPECT_EQ(parameters.value(second), parameters.values().data() + 6);
  EXPECT_EQ(parameters.gradient(third), parameters.gradient().data() + 10);
  EXPECT_NE(parameters.value(first), parameters.gradient(first));
  EXPECT_EQ(parameters.Find("c"), third);
  EXPECT_EQ(parameters.Find("d"), -1);
  EXPECT_THAT(parameters.values(), testing::Each(0.0f));
  EXPECT_THAT(parameters.gradient(), testing::Each(0.0f));
}

}  // namespace
}  // namespace lockstep::worker
