#include "proto/defaults.h"

#include <gtest/gtest.h>

#include "tests/proto/schema_fields.h"

namespace lockstep::proto {
namespace {

TEST(DefaultsTest, EveryFieldOutsideOneofsIsSet) {
  RunConfig config;
  FillDefaults(config);
  EXPECT_TRUE(config.training().has_threads());
  EXPECT_TRUE(config.evaluation().early_stopping().has_patience());
  EXPECT_TRUE(config.optimizer().adam().has_beta1());
  EXPECT_DOUBLE_EQ(config.optimizer().adam().beta2(), 0.999);
}

TEST(DefaultsTest, OneofsGetTheirDefaultAlternative) {
  RunConfig config;
  FillDefaults(config);
  EXPECT_EQ(config.optimizer().rule_case(), Optimizer::kAdam);
  EXPECT_EQ(config.optimizer().clip().kind_case(), Clip::kGlobalNorm);
  EXPECT_DOUBLE_EQ(config.optimizer().clip().global_norm(), 1);
  EXPECT_EQ(config.optimizer().schedule().shape_case(), Schedule::kCosine);
  EXPECT_EQ(config.model().initialization().weights_case(), Initialization::kPytorch);
  EXPECT_EQ(config.training().length_case(), Training::kEpochs);
  EXPECT_EQ(config.training().epochs(), 10);
}

TEST(DefaultsTest, WhatIsSetStays) {
  RunConfig config;
  config.mutable_optimizer()->mutable_sgd()->set_momentum(0.5);
  config.mutable_training()->set_steps(7);
  config.mutable_data()->set_lanes(0);
  FillDefaults(config);
  EXPECT_EQ(config.optimizer().rule_case(), Optimizer::kSgd);
  EXPECT_DOUBLE_EQ(config.optimizer().sgd().momentum(), 0.5);
  EXPECT_TRUE(config.optimizer().sgd().has_dampening());
  EXPECT_EQ(config.training().length_case(), Training::kSteps);
  EXPECT_EQ(config.training().steps(), 7);
  EXPECT_EQ(config.data().lanes(), 0);
}

TEST(DefaultsTest, TheDefaultsAreValid) {
  RunConfig config;
  EXPECT_NO_THROW(ValidateRunConfig(config));
  FillDefaults(config);
  EXPECT_NO_THROW(ValidateRunConfig(config));
}

// Also of the alternatives that are not the default.
TEST(DefaultsTest, EveryMessageAlternativeIsValidWithItsDefaults) {
  for (const auto& [path, field] : AllFields()) {
    if (!IsMessage(*field)) continue;
    EXPECT_EQ(ParseFailure("", {path + "={}"}), "");
  }
}

}  // namespace
}  // namespace lockstep::proto
