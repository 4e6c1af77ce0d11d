// The same run on 1, 2, 3 and 4 ranks: the number of ranks does not change the training.
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

// 10 lanes: 3, 3, 4 lanes on 3 ranks and 2, 3, 2, 3 on 4. Two epochs, so a short last batch, too.
TEST(RanksTest, LossesAgreeWithDropout) { ExpectRanksAgree(SmallRun(), {"model.dropout=0.3"}); }

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

TEST(RanksTest, EvaluationCountsEveryTokenOnceOnAnyNumberOfRanks) {
  const SmallRun run;
  run.TrainToTheEnd("runs/a");
  for (const char* split : {"train", "validation", "test"}) {
    nlohmann::json results[2];
    for (const int ranks : {1, 3}) {
      const Outcome outcome = RunProgram(run.Command(
          {"evaluate", "runs/a/checkpoints/best.h5", "--json", "--split", split}, ranks));
      ASSERT_EQ(outcome.status, 0) << outcome.err;
      results[ranks / 2] = nlohmann::json::parse(outcome.out);
    }
    EXPECT_EQ(results[0].at("tokens"), results[1].at("tokens"));
    const double loss = results[0].at("loss");
    EXPECT_NEAR(results[1].at("loss").get<double>(), loss, 1e-6 * loss) << split;
  }
}

// What the training measured and what the command measures are the same thing.
TEST(RanksTest, EvaluateRepeatsTheValidationLossOfTheTraining) {
  const SmallRun run;
  run.TrainToTheEnd("runs/a", 2);
  const Outcome outcome = RunProgram(run.Command(
      {"evaluate", run.CheckpointPath("runs/a", 60), "--json", "--split", "validation"}, 2));
  ASSERT_EQ(outcome.status, 0) << outcome.err;
  EXPECT_EQ(nlohmann::json::parse(outcome.out).at("loss"),
            run.Metrics("runs/a").back().at("validation_loss"));
}

}  // namespace
}  // namespace lockstep::trainer
