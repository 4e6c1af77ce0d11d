#include "worker/optimizers/averaging.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

namespace lockstep::worker {
namespace {

using Floats = std::vector<float>;

// The weights after update `t`, from 1.
Floats WeightsAt(int t) {
  Floats weights(37);
  for (size_t i = 0; i < weights.size(); ++i) {
    weights[i] = std::sin(static_cast<float>(t) + 0.1f * static_cast<float>(i)) + 1.0f;
  }
  return weights;
}

Floats AveragesOf(const Averaging& averaging) {
  return {averaging.values().begin(), averaging.values().end()};
}

// One rounding of a sum up to 2 an update.
void ExpectAverages(const Averaging& averaging, const std::vector<double>& expected) {
  ASSERT_EQ(averaging.values().size(), expected.size());
  for (size_t i = 0; i < expected.size(); ++i) {
    ASSERT_NEAR(averaging.values()[i], expected[i], 2e-6) << i;
  }
}

TEST(AveragingTest, WithoutAnyThereIsNothing) {
  Averaging averaging(NoAveraging{}, 37);
  averaging.Update(WeightsAt(1));
  EXPECT_FALSE(averaging.Observe(1.0));
  EXPECT_FALSE(averaging.enabled());
  EXPECT_FALSE(averaging.active());
  EXPECT_TRUE(averaging.values().empty());
  Floats weights = WeightsAt(1);
  averaging.Swap(weights);
  EXPECT_EQ(weights, WeightsAt(1));
}

// In closed form: the weights of update k count (1 - d_k) d_{k+1} ... d_n.
TEST(AveragingTest, ExponentialIsItsWeightedSum) {
  constexpr double kDecay = 0.6;
  constexpr int kUpdates = 12;
  Averaging averaging(ExponentialAveraging{kDecay}, 37);
  EXPECT_TRUE(averaging.enabled());
  EXPECT_FALSE(averaging.active());
  for (int t = 1; t <= kUpdates; ++t) averaging.Update(WeightsAt(t));
  std::vector<double> expected(37, 0.0);
  // Behind n updates min(0.6, (1 + n) / (10 + n)): 2/11, 3/12, ..., from n = 13 on 0.6.
  const auto keep = [&](int t) {
    return t == 1 ? 0.0 : std::min(kDecay, static_cast<double>(t) / (t + 9));
  };
  for (int t = 1; t <= kUpdates; ++t) {
    double share = 1.0 - keep(t);
    for (int later = t + 1; later <= kUpdates; ++later) share *= keep(later);
    const Floats weights = WeightsAt(t);
    for (size_t i = 0; i < expected.size(); ++i) expected[i] += share * weights[i];
  }
  ExpectAverages(averaging, expected);
  for (int t = 13; t <= 200; ++t) averaging.Update(WeightsAt(5));
  const Floats last = WeightsAt(5);
  ExpectAverages(averaging, {last.begin(), last.end()});
}

// Algorithm 1 of Merity et al. 2017 as it stands there, over the whole log.
int TriggerOfPaper(const std::vector<double>& losses, int n) {
  for (int t = 0; t < std::ssize(losses); ++t) {
    if (t > n && losses[t] > *std::min_element(losses.begin(), losses.begin() + (t - n))) return t;
  }
  return -1;
}

TEST(AveragingTest, TriggeredBeginsAsInThePaper) {
  const std::vector<std::vector<double>> logs = {{9, 8, 7, 6, 5, 4, 3},
                                                 {9, 8, 7, 7.5, 7.4, 7.3, 7.2, 7.1, 8},
                                                 {5, 6, 7, 8, 9, 10, 11},
                                                 {9, 5, 6, 5.5, 5.2, 5.1, 4.9, 5.3, 5.2, 5, 5},
                                                 {3, 3, 3, 3, 3, 3, 3, 3}};
  for (const auto& log : logs) {
    for (const int patience : {0, 1, 2, 3, 5}) {
      Averaging averaging(TriggeredAveraging{patience}, 37);
      int begun = -1;
      for (int t = 0; t < std::ssize(log); ++t) {
        if (averaging.Observe(log[t])) {
          EXPECT_EQ(begun, -1) << "it begins once";
          begun = t;
        }
      }
      EXPECT_EQ(begun, TriggerOfPaper(log, patience))
          << testing::PrintToString(log) << " patience " << patience;
    }
  }
}

TEST(AveragingTest, TriggeredIsTheMeanSinceItBegan) {
  Averaging averaging(TriggeredAveraging{0}, 37);
  averaging.Update(WeightsAt(1));
  EXPECT_FALSE(averaging.Observe(1.0));
  EXPECT_TRUE(averaging.Observe(2.0));
  EXPECT_FALSE(averaging.active()) << "there is no update yet that it could be of";
  std::vector<double> expected(37, 0.0);
  for (int t = 2; t <= 8; ++t) {
    averaging.Update(WeightsAt(t));
    const Floats weights = WeightsAt(t);
    for (size_t i = 0; i < expected.size(); ++i) expected[i] += weights[i] / 7.0;
  }
  EXPECT_TRUE(averaging.active());
  ExpectAverages(averaging, expected);
}

TEST(AveragingTest, SwapExchangesAndBringsBack) {
  Averaging averaging(ExponentialAveraging{0.9}, 37);
  averaging.Update(WeightsAt(1));
  averaging.Update(WeightsAt(2));
  const Floats averages = AveragesOf(averaging);
  Floats weights = WeightsAt(2);
  averaging.Swap(weights);
  EXPECT_EQ(weights, averages);
  EXPECT_EQ(AveragesOf(averaging), WeightsAt(2));
  averaging.Swap(weights);
  EXPECT_EQ(weights, WeightsAt(2));
  EXPECT_EQ(AveragesOf(averaging), averages);
}

TEST(AveragingTest, GoesOnFromItsValuesAndStateBitForBit) {
  const AveragingOptions all[] = {ExponentialAveraging{0.99}, TriggeredAveraging{1}};
  const double losses[] = {3, 2, 2.5, 2.4, 2.3, 2.2};
  for (const AveragingOptions& options : all) {
    for (int stop = 0; stop < 6; ++stop) {
      Averaging straight(options, 37), first(options, 37), second(options, 37);
      for (int t = 0; t < 6; ++t) {
        if (t == stop) {
          second.set_state(first.state());
          std::ranges::copy(first.values(), second.values().begin());
        }
        for (Averaging* one : {&straight, t < stop ? &first : &second}) {
          one->Update(WeightsAt(t));
          one->Observe(losses[t]);
        }
      }
      EXPECT_EQ(AveragesOf(straight), AveragesOf(second));
      EXPECT_EQ(straight.state(), second.state());
      EXPECT_TRUE(second.active());
    }
  }
}

}  // namespace
}  // namespace lockstep::worker
