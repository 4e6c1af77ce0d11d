#include "trainer/tasks/language_model/language_model_task.h"

#include <cmath>
#include <numbers>

#include <gtest/gtest.h>

namespace lockstep::trainer {
namespace {

TEST(DescribeTokenLossTest, InTheUnitOfTheTokens) {
  const double two_bits = 2 * std::numbers::ln2;
  EXPECT_EQ(DescribeTokenLoss(two_bits, io::TokenKind::kChar), "2.000 bits/char");
  EXPECT_EQ(DescribeTokenLoss(two_bits, io::TokenKind::kByte), "2.000 bits/byte");
  EXPECT_EQ(DescribeTokenLoss(two_bits, io::TokenKind::kWord), "perplexity 4.00");
}

TEST(HopelessTokenLossTest, IsFarAboveWhatATrainingBeginsWith) {
  EXPECT_NEAR(HopelessTokenLoss(100, 0.0), 2 * std::log(100.0) + 1, 1e-12);
  EXPECT_NEAR(HopelessTokenLoss(100, 4.0), 2 * std::log(100.0) + 1, 1e-12);
  EXPECT_NEAR(HopelessTokenLoss(100, 20.0), 41.0, 1e-12);
}

}  // namespace
}  // namespace lockstep::trainer
