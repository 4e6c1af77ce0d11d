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

// A model of several of the pieces that gradients leave in, in front of which others are still
// computed: the order of the sums is that of a reduction at the end, so that no bit differs.
TEST(RanksTest, GradientsThatLeaveEarlyAreTheSame) {
  const SmallRun run;
  const Settings large = {"model.hidden_size=800", "model.layers=1", "data.time_steps=3",
                          "training.steps=6", "optimizer.learning_rate=0.001"};
  const Settings early = large + Settings{"training.reduction.overlap=ALWAYS"};
  run.TrainToTheEnd("runs/1", 1, large);
  run.TrainToTheEnd("runs/late", 2, large);
  run.TrainToTheEnd("runs/early", 2, early);
  run.TrainToTheEnd("runs/3", 3, early);
  const auto alone = run.Metrics("runs/1"), late = run.Metrics("runs/late");
  ExpectLossesNear(alone, late, 6, kTolerance);
  ExpectSameMetrics(late, run.Metrics("runs/early"), 6);
  ExpectLossesNear(alone, run.Metrics("runs/3"), 6, kTolerance);
}

// Each rank updates its shares of the parameters: no bit differs, whatever leaves early or is
// rounded, and a run goes on with or without.
TEST(RanksTest, ShardedOptimizersAreTheSame) {
  const SmallRun run;
  const Settings large = {"model.hidden_size=600",
                          "model.layers=1",
                          "data.time_steps=3",
                          "training.steps=8",
                          "checkpoint.every_steps=4",
                          "optimizer.schedule.constant={}",
                          "optimizer.learning_rate=0.001"};
  const Settings sharded = large + Settings{"training.reduction.shard_optimizer=true"};
  run.TrainToTheEnd("runs/whole", 3, large);
  run.TrainToTheEnd("runs/sharded", 3, sharded + Settings{"training.reduction.overlap=ALWAYS"});
  ExpectSameMetrics(run.Metrics("runs/whole"), run.Metrics("runs/sharded"), 8);
  const auto last = [&](const std::string& name) { return run.CheckpointPath(name, 8); };
  ExpectSameCheckpoints(last("runs/whole"), last("runs/sharded"));

  const Settings half = {"training.steps=4"};
  run.TrainToTheEnd("runs/on", 3, large + half);
  run.TrainToTheEnd("runs/on", 3, sharded);
  ExpectSameCheckpoints(last("runs/whole"), last("runs/on"));
  run.TrainToTheEnd("runs/off", 3, sharded + half);
  run.TrainToTheEnd("runs/off", 3, large);
  ExpectSameCheckpoints(last("runs/whole"), last("runs/off"));

  const Settings rounded = {"training.reduction.wire=BF16"};
  run.TrainToTheEnd("runs/rounded", 2, large + rounded);
  run.TrainToTheEnd("runs/rounded_sharded", 2, sharded + rounded);
  ExpectSameCheckpoints(last("runs/rounded"), last("runs/rounded_sharded"));
}

// Every rank draws the same tokens, and goes on drawing them after a stop.
TEST(RanksTest, SampledSoftmaxesAgree) {
  const SmallRun run;
  const Settings sampled = {"task.language_model.sampled_softmax=6"};
  ExpectRanksAgree(run, sampled);
  const Settings more = sampled + Settings{"training.steps=40", "optimizer.schedule.constant={}",
                                           "evaluation.every_steps=20"};
  run.TrainToTheEnd("runs/a", 2, more);
  run.TrainToTheEnd("runs/b", 2, more + Settings{"training.steps=20"});
  run.TrainToTheEnd("runs/b", 2, more);
  ExpectSameMetrics(run.Metrics("runs/a"), run.Metrics("runs/b"), 40);
  // The evaluation is over all tokens, the training is not.
  const auto last = run.Metrics("runs/a").back();
  EXPECT_LT(last.at("loss").get<double>(), 0.9 * last.at("validation_loss").get<double>());
}

// 8 bits of what is summed: the losses are near, and not the same.
TEST(RanksTest, GradientsThatTravelAsBfloat16) {
  const SmallRun run;
  const Settings settings = {"training.steps=40", "evaluation.every_steps=20"};
  const Settings rounded = settings + Settings{"training.reduction.wire=BF16"};
  run.TrainToTheEnd("runs/float", 2, settings);
  run.TrainToTheEnd("runs/rounded", 2, rounded);
  run.TrainToTheEnd("runs/again", 2, rounded);
  const auto exact = run.Metrics("runs/float"), near = run.Metrics("runs/rounded");
  ExpectLossesNear(exact, near, 40, 0.01);
  EXPECT_NE(exact.back().at("loss"), near.back().at("loss"));
  ExpectSameMetrics(near, run.Metrics("runs/again"), 40);
}

TEST(RanksTest, AJobOfOneRankNeedsNoLauncher) {
  const SmallRun run;
  run.TrainToTheEnd("runs/mpirun", 1);
  run.TrainToTheEnd("runs/alone", 0);
  ExpectSameMetrics(run.Metrics("runs/mpirun"), run.Metrics("runs/alone"), 60);
}

}  // namespace
}  // namespace lockstep::trainer
