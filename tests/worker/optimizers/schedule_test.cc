#include "worker/optimizers/schedule.h"

#include <cmath>
#include <limits>
#include <vector>

#include <gtest/gtest.h>

#include "tests/worker/golden.h"

namespace lockstep::worker {
namespace {

constexpr double kRate = 0.3;  // in make_golden.py

void ExpectAsPyTorch(const char* name, const ScheduleShape& shape) {
  SCOPED_TRACE(name);
  const Schedule schedule(kRate, 0, shape);
  const auto expected = Golden()["schedules"][name].get<std::vector<double>>();
  // PyTorch multiplies step by step, in double.
  for (size_t step = 0; step < expected.size(); ++step) {
    EXPECT_NEAR(schedule.Rate(static_cast<int64_t>(step)), expected[step], 1e-14) << step;
  }
}

TEST(ScheduleTest, ShapesAreAsPyTorchs) {
  ExpectAsPyTorch("step", StepSchedule{7, 0.3});
  ExpectAsPyTorch("exponential", ExponentialSchedule{1, 0.9});
  ExpectAsPyTorch("cosine", CosineSchedule{0.1, 30});
}

TEST(ScheduleTest, PlateauIsAsPyTorchsAndGoesOnFromItsState) {
  const PlateauSchedule shape{
      .factor = 0.5, .patience = 2, .threshold = 0.01, .minimum_factor = 0.05};
  const auto& golden = Golden()["schedules"];
  const auto losses = golden["plateau_losses"].get<std::vector<double>>();
  Schedule schedule(kRate, 0, shape);
  for (size_t i = 0; i < losses.size(); ++i) {
    EXPECT_NEAR(schedule.Rate(1000), golden["plateau"][i].get<double>(), 1e-15) << i;
    Schedule resumed(kRate, 0, shape);
    resumed.set_plateau(schedule.plateau());
    schedule.Observe(losses[i]);
    resumed.Observe(losses[i]);
    EXPECT_EQ(resumed.Rate(1000), schedule.Rate(1000)) << i;
    EXPECT_EQ(resumed.plateau().best, schedule.plateau().best);
    EXPECT_EQ(resumed.plateau().bad_evaluations, schedule.plateau().bad_evaluations);
  }
  EXPECT_NEAR(schedule.Rate(0), kRate * 0.05, 1e-15) << "not below the minimum";
}

TEST(ScheduleTest, NanIsNoProgress) {
  Schedule schedule(1.0, 0, PlateauSchedule{.factor = 0.5, .patience = 0});
  schedule.Observe(2.0);
  schedule.Observe(std::numeric_limits<double>::quiet_NaN());
  EXPECT_EQ(schedule.Rate(0), 0.5);
  EXPECT_EQ(schedule.plateau().best, 2.0);
}

TEST(ScheduleTest, OnlyAPlateauObserves) {
  Schedule schedule(1.0, 0, ConstantSchedule{});
  for (int i = 0; i < 10; ++i) schedule.Observe(1.0);
  EXPECT_EQ(schedule.Rate(5), 1.0);
}

TEST(ScheduleTest, WarmUpIsALineToTheShapesStart) {
  const ScheduleShape shapes[] = {ConstantSchedule{}, StepSchedule{5, 0.5},
                                  ExponentialSchedule{5, 0.5}, CosineSchedule{0.1, 44}};
  for (const ScheduleShape& shape : shapes) {
    SCOPED_TRACE(shape.index());
    const Schedule warm(kRate, 4, shape);
    for (int64_t step = 0; step < 4; ++step) {
      EXPECT_DOUBLE_EQ(warm.Rate(step), kRate * static_cast<double>(step + 1) / 4.0);
    }
    EXPECT_DOUBLE_EQ(warm.Rate(4), kRate);
  }
}

// Counted from the end of the warm-up: cosine reaches its end at total_steps and stays.
TEST(ScheduleTest, ShapesCountFromTheEndOfTheWarmUp) {
  const Schedule cosine(1.0, 4, CosineSchedule{0.2, 44});
  EXPECT_NEAR(cosine.Rate(24), 0.6, 1e-15);
  EXPECT_NEAR(cosine.Rate(44), 0.2, 1e-15);
  EXPECT_NEAR(cosine.Rate(1000), 0.2, 1e-15);
  const Schedule step(1.0, 4, StepSchedule{5, 0.5});
  EXPECT_EQ(step.Rate(8), 1.0);
  EXPECT_EQ(step.Rate(9), 0.5);
  const Schedule exponential(1.0, 4, ExponentialSchedule{5, 0.5});
  EXPECT_NEAR(exponential.Rate(9), 0.5, 1e-15);
  EXPECT_NEAR(exponential.Rate(5), std::pow(0.5, 0.2), 1e-15);
  Schedule plateau(1.0, 4, PlateauSchedule{.factor = 0.5, .patience = 0});
  plateau.Observe(1.0);
  plateau.Observe(1.0);
  EXPECT_EQ(plateau.Rate(1), 0.25) << "half of the warm-up to half the rate";
}

}  // namespace
}  // namespace lockstep::worker
