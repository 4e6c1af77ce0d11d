// The same run on 1, 2, 3 and 4 ranks, beside what promises_test.cc does for every task.
#include <cmath>
#include <string>

#include <gtest/gtest.h>

#include "tests/trainer/program.h"
#include "tests/trainer/small_run.h"

namespace lockstep::trainer {
namespace {

constexpr int64_t kSteps = 100;
// Sums over lanes are taken in another order; 100 steps let the rounding grow to about 1e-6.
constexpr double kTolerance = 1e-4;

void ExpectRanksAgree(const SmallRun& run, const Settings& settings) {
  const Settings all = settings + Settings{"training.steps=100", "evaluation.every_steps=25"};
  run.TrainToTheEnd("runs/1", 1, all);
  const auto expected = run.Metrics("runs/1");
  for (const int ranks : {2, 3, 4}) {
    const std::string name = "runs/" + std::to_string(ranks);
    run.TrainToTheEnd(name, ranks, all);
    SCOPED_TRACE(name);
    ExpectLossesNear(expected, run.Metrics(name), kSteps, kTolerance);
  }
  // It must have learnt something, or agreeing would mean little.
  EXPECT_LT(expected.back().at("loss").get<double>(),
            0.95 * expected.front().at("loss").get<double>());
}

TEST(RanksTest, LossesAgreeWithAccumulatedGradientsAndFewTokensInTheLastBatch) {
  ExpectRanksAgree(SmallRun(), {"training.accumulate_batches=3", "data.lanes=7", "model.cell=GRU",
                                "optimizer.clip.value=0.05"});
}

TEST(RanksTest, AJobOfOneRankNeedsNoLauncher) {
  const SmallRun run;
  run.TrainToTheEnd("runs/mpirun", 1);
  run.TrainToTheEnd("runs/alone", 0);
  ExpectSameMetrics(run.Metrics("runs/mpirun"), run.Metrics("runs/alone"), 60);
}

}  // namespace
}  // namespace lockstep::trainer
