#include "trainer/run/progress.h"

#include <algorithm>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/trainer/run/small_task.h"

namespace lockstep::trainer {
namespace {

using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::internal::CaptureStderr;
using ::testing::internal::GetCapturedStderr;

TEST(DescribeSecondsTest, HoursOnlyWhereThereAreAny) {
  EXPECT_EQ(DescribeSeconds(0), "0:00");
  EXPECT_EQ(DescribeSeconds(-3), "0:00");
  EXPECT_EQ(DescribeSeconds(59.4), "0:59");
  EXPECT_EQ(DescribeSeconds(59.6), "1:00");
  EXPECT_EQ(DescribeSeconds(245), "4:05");
  EXPECT_EQ(DescribeSeconds(3599.7), "1:00:00");
  EXPECT_EQ(DescribeSeconds(3723), "1:02:03");
  EXPECT_EQ(DescribeSeconds(360000), "100:00:00");
}

class ProgressTest : public testing::Test {
 protected:
  // A training of 4 epochs of 50 steps that resumes at step 100.
  Progress::Plan Plan(double interval_seconds) {
    return {.total_steps = 200, .steps_per_epoch = 50, .interval_seconds = interval_seconds};
  }

  Position At(int64_t step, double loss) {
    Position position;
    position.step = step;
    position.loss = loss;
    position.gradient_norm = 0.125;
    position.learning_rate = 0.002;
    return position;
  }

  SmallTask task_{SmallModel()};
  Console console_{false, Console::Mode::kPlain};
};

constexpr double kNever = 1e9;

TEST_F(ProgressTest, ALineTellsTheMeanOfItsSteps) {
  Progress progress(console_, task_, Plan(kNever), 100);
  CaptureStderr();
  progress.Step(At(101, 1.0), 640);
  progress.Step(At(102, 3.0), 640);
  EXPECT_EQ(GetCapturedStderr(), "") << "the interval is not over";
  CaptureStderr();
  progress.Flush(At(102, 3.0));
  EXPECT_THAT(GetCapturedStderr(),
              AllOf(HasSubstr("epoch 2.04/4  step 102/200  loss 2.0000"),
                    HasSubstr("twice that is 4.00"), HasSubstr("norm 0.125"),
                    HasSubstr("rate 2.00e-03"), HasSubstr("beans/s"), HasSubstr("to go")));
  // The next line tells of what came after this one.
  progress.Step(At(103, 5.0), 640);
  CaptureStderr();
  progress.Flush(At(103, 5.0));
  EXPECT_THAT(GetCapturedStderr(), HasSubstr("loss 5.0000"));
}

TEST_F(ProgressTest, NothingNewIsNoLine) {
  Progress progress(console_, task_, Plan(kNever), 100);
  CaptureStderr();
  progress.Flush(At(100, 1.0));
  progress.Step(At(101, 1.0), 640);
  progress.Flush(At(101, 1.0));
  progress.Flush(At(101, 1.0));
  const std::string all = GetCapturedStderr();
  EXPECT_EQ(std::count(all.begin(), all.end(), '\n'), 1) << all;
}

TEST_F(ProgressTest, ALineAtEveryInterval) {
  Progress progress(console_, task_, Plan(0.0), 100);
  CaptureStderr();
  progress.Step(At(101, 1.0), 640);
  progress.Step(At(102, 1.0), 640);
  const std::string all = GetCapturedStderr();
  EXPECT_THAT(all, AllOf(HasSubstr("step 101/200"), HasSubstr("step 102/200")));
  EXPECT_EQ(std::count(all.begin(), all.end(), '\n'), 2) << all;
}

TEST_F(ProgressTest, ASilentConsoleSaysNothing) {
  Console silent(true, Console::Mode::kLive);
  Progress progress(silent, task_, Plan(0.0), 100);
  CaptureStderr();
  progress.Step(At(101, 1.0), 640);
  progress.Flush(At(101, 1.0));
  EXPECT_EQ(GetCapturedStderr(), "");
}

}  // namespace
}  // namespace lockstep::trainer
