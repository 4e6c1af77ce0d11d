#include "trainer/run/plan.h"

#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "trainer/exit_status.h"
#include "trainer/ranks/gradient_sum.h"

namespace lockstep::trainer {
namespace {

using ::testing::HasSubstr;

TEST(ParseNetworkTest, KnowsUnits) {
  const Network network = ParseNetwork("10gbit,50us");
  EXPECT_DOUBLE_EQ(network.bytes_per_second, 1.25e9);
  EXPECT_DOUBLE_EQ(network.latency_seconds, 50e-6);
  EXPECT_DOUBLE_EQ(ParseNetwork("2.5mbit,1.5ms").bytes_per_second, 312'500);
  EXPECT_DOUBLE_EQ(ParseNetwork("2.5mbit,1.5ms").latency_seconds, 1.5e-3);
  EXPECT_DOUBLE_EQ(ParseNetwork("8kbit,1us").bytes_per_second, 1000);
}

TEST(ParseNetworkTest, WhatItDoesNotKnowIsAnError) {
  for (const std::string text :
       {"", "10gbit", "10gbit,", ",50us", "10,50", "10gbit,50s", "0gbit,1us", "-1gbit,1us",
        "nangbit,1us", "10gbit,50us,1", "10 gbit,50us"}) {
    try {
      ParseNetwork(text);
      ADD_FAILURE() << text;
    } catch (const UsageError& error) {
      EXPECT_THAT(error.what(), HasSubstr("--network " + text + ": give a rate"));
    }
  }
}

/// Three pieces and a half, of which one takes a second on the wire between two hosts.
class ExposedSecondsTest : public testing::Test {
 protected:
  double Exposed(const RankLayout& layout = {2, 1}) const {
    return ExposedSeconds(step_, costs_, layout, network_);
  }

  // Messages take some microseconds.
  static constexpr double kNear = 1e-3;
  const int64_t piece_ = GradientSum::WayOf({1, 1}, 2, {}).piece_floats;
  SumCosts costs_ = {.parameters = 3 * piece_ + piece_ / 2};
  // Of w = 4 bytes a float: 2 w R (N - R) / N with N = 2 and R = 1.
  Network network_ = {4.0 * static_cast<double>(piece_), 0.25};
  StepTimes step_ = {.before = 1.0, .backward = 10.0, .update = 1.0, .ready = {}};
};

TEST_F(ExposedSecondsTest, WithoutOverlapAllIs) {
  EXPECT_NEAR(Exposed(), 3.5 + 2 * 0.25, kNear);
  step_.ready = {{3 * piece_, 1.0}, {0, 2.0}};
  costs_.overlap = false;
  EXPECT_NEAR(Exposed(), 4.0, kNear);
  costs_.form.wire = Wire::kBfloat16;
  EXPECT_NEAR(Exposed(), 1.75 + 0.5, kNear);
}

TEST_F(ExposedSecondsTest, PiecesGoOutAsTheyBecomeFinal) {
  // The last one is final at the end only.
  step_.ready = {{3 * piece_, 1.0}, {piece_ / 2, 5.0}};
  EXPECT_NEAR(Exposed(), 1.0 + 0.5, kNear);
  // The wire is busy with the others until then, and longer.
  step_.ready = {{3 * piece_, 1.0}, {piece_ / 2, 9.5}};
  EXPECT_NEAR(Exposed(), 9.5 + 2.0 + 1.0 + 0.5 - 10.0, kNear);
  // All is gone before.
  step_.ready = {{0, 1.0}};
  EXPECT_DOUBLE_EQ(Exposed(), 0.0);
}

TEST_F(ExposedSecondsTest, WeightsOfShardsAreWaitedFor) {
  costs_.form.result = SumResult::kShares;
  EXPECT_NEAR(Exposed(), 1.75 + 0.5 + 1.75, kNear);
  // Weights travel as they are.
  costs_.form.wire = Wire::kBfloat16;
  EXPECT_NEAR(Exposed(), 1.75 / 2 + 0.5 + 1.75, kNear);
  step_.ready = {{0, 1.0}};
  EXPECT_NEAR(Exposed(), 1.75, kNear);
}

TEST_F(ExposedSecondsTest, OneHostHasNoWire) {
  costs_.in_host_seconds = 0.125;
  EXPECT_EQ(Exposed({1, 1}), 0.0);
  EXPECT_EQ(Exposed({1, 4}), 0.125);
}

// Two ranks on each of two hosts: where each talks to every other one, a host's network carries
// twice what that of a host of one does, and half as much as before goes between its own.
TEST_F(ExposedSecondsTest, ManyRanksOfAHostShareItsNetwork) {
  costs_.in_host_seconds = 0.125;
  EXPECT_NEAR(Exposed({40, 2}), 2 * 2 * 3.5 * 78 / 80 + 0.5 + 0.125 / 40, 10 * kNear);
  costs_.form.result = SumResult::kShares;
  EXPECT_NEAR(Exposed({40, 2}), 2 * 2 * 3.5 * 78 / 80 + 0.5 + 0.125 / 40, 10 * kNear);
  // Through hosts it carries what that of a host of one does; the last piece comes back.
  costs_.form.result = SumResult::kWhole;
  const auto pieces = [&](int hosts) {
    const auto way = GradientSum::WayOf(std::vector<int>(hosts, 2), 2 * hosts, costs_.form);
    EXPECT_TRUE(way.through_hosts);
    return static_cast<double>(way.piece_floats) / static_cast<double>(piece_);
  };
  EXPECT_NEAR(Exposed({2, 2}), 3.5 + 2 * 0.25 + pieces(2) + 0.125, 2 * kNear);
  EXPECT_NEAR(Exposed({4, 2}), 2 * 3.5 + 6 * 0.25 + 4 * pieces(4) + 0.125, 2 * kNear);
  // In bf16 hosts send each other their parts.
  costs_.form.wire = Wire::kBfloat16;
  EXPECT_NEAR(Exposed({2, 2}), 3.5 / 2 + 0.5 + 0.125, 2 * kNear);
  EXPECT_NEAR(Exposed({4, 2}), 2 * 0.75 * 3.5 / 2 + 0.5 + 0.125, 2 * kNear);
  // Shares alone come back, and go out as weights, unrounded.
  costs_.form.result = SumResult::kShares;
  EXPECT_NEAR(Exposed({4, 2}), 0.75 * 3.5 / 2 + 0.5 + 0.125 + 0.75 * 3.5, 4 * kNear);
  costs_.form.wire = Wire::kFloat32;
  EXPECT_NEAR(Exposed({2, 2}), 3.5 + 2 * 0.25 + 0.5 * pieces(2) + 0.125 + 0.5 * 3.5, 4 * kNear);
  EXPECT_NEAR(Exposed({4, 2}), 1.25 * 3.5 + 4 * 0.25 + 2.5 * pieces(4) + 0.125 + 0.75 * 3.5,
              4 * kNear);
}

TEST_F(ExposedSecondsTest, ManyHostsSendAlmostTwiceTheGradient) {
  network_.latency_seconds = 0.0;
  EXPECT_NEAR(Exposed({4, 1}), 2.0 * 0.75 * 3.5, kNear);
  // Messages to each of a thousand ranks are no longer nothing.
  EXPECT_GT(Exposed({1000, 1}), 2.0 * 0.999 * 3.5 + 0.01);
}

}  // namespace
}  // namespace lockstep::trainer
