#include "trainer/tasks/language_model/dynamic_evaluation.h"

#include <algorithm>
#include <cmath>
#include <filesystem>
#include <optional>
#include <string>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/io/temporary_folder.h"
#include "tests/trainer/run/small_task.h"
#include "trainer/exit_status.h"
#include "trainer/ranks/communicator.h"
#include "trainer/run/checkpoint_contents.h"

namespace lockstep::trainer {
namespace {

constexpr int64_t kSteps = 5;
constexpr double kTokensOfStep = 4 * 9;
const std::string kData = R"(data { path: "a.h5" lanes: 4 time_steps: 9 } )";

// A checkpoint of a training with this optimizer, as if it had done some steps, in which no two
// weights are the same, nor any two squares.
class Finished {
 public:
  Finished(const worker::OptimizerOptions& optimizer, const std::string& configured,
           const std::string& model = "", float squares = 1e-4f)
      : task_(SmallModel()),
        replica_(task_, optimizer, worker::Schedule(0.1, 0, worker::ConstantSchedule{}), {0, 4}) {
    const auto values = replica_.parameters().values();
    for (size_t i = 0; i < values.size(); ++i)
      values[i] = 0.3f * std::sin(1.7f * static_cast<float>(i));
    for (auto& slot : replica_.optimizer.slots()) {
      for (int64_t i = 0; i < replica_.optimizer.size(); ++i) {
        slot.values.data()[i] = squares * static_cast<float>(1 + i % 13);
      }
    }
    replica_.optimizer.set_steps(kSteps);
    io::CheckpointHeader header;
    StorePosition(replica_, header);
    header.configuration = kData + "optimizer { " + configured + " } " + model;
    io::WriteCheckpoint(folder_ / "a.h5", header,
                        ViewTensors(replica_, ViewSlots(replica_.optimizer), replica_.state, {}));
    reader_.emplace(folder_ / "a.h5");
  }

  const io::CheckpointReader& reader() const { return *reader_; }
  std::vector<double> weights() const {
    const auto values = replica_.parameters().values();
    return {values.begin(), values.end()};
  }
  // s: the first moment where nothing else is there.
  std::vector<double> squares() const {
    const auto& slot = replica_.optimizer.slots().back();
    return {slot.values.data(), slot.values.data() + replica_.optimizer.size()};
  }

 private:
  const io::TemporaryFolder folder_;
  SmallTask task_;
  Replica replica_;
  std::optional<io::CheckpointReader> reader_;
};

// Three segments of one lane, the last of which is shorter.
const std::vector<int32_t> kInputs = {0, 3, 5, 1, 2, 6, 3, 3, 0, 1, 4};
const std::vector<int32_t> kTargets = {3, 5, 1, 2, 6, 3, 3, 0, 1, 4, -1};
constexpr int64_t kSegment = 4;

// As the header has it, a weight at a time: the model is the program's, the rule is not.
// `deviations` is s, empty for SGD.
void ExpectRule(const Finished& finished, const std::vector<double>& deviations,
                const DynamicOptions& options) {
  worker::LanguageModel model(SmallModel()), other(SmallModel());
  LoadParameters(finished.reader(), model.parameters());
  DynamicEvaluation dynamic(model, finished.reader(), options);
  const std::vector<double> start = finished.weights();
  std::vector<double> weights = start;
  const auto size = static_cast<int64_t>(weights.size());
  double mean = 0.0;
  for (const double s : deviations) mean += s / static_cast<double>(size);
  worker::RecurrentState state = model.ZeroState(1), other_state = other.ZeroState(1);
  for (int64_t begin = 0; begin < std::ssize(kInputs); begin += kSegment) {
    const int64_t steps = std::min(kSegment, std::ssize(kInputs) - begin);
    const worker::TokenBatch segment = {steps, 1, kInputs.data() + begin, kTargets.data() + begin};
    const int64_t tokens = steps - std::count(segment.targets, segment.targets + steps, -1);
    std::copy(weights.begin(), weights.end(), other.parameters().values().begin());
    std::ranges::fill(other.parameters().gradient(), 0.0f);
    const double loss = other.Forward(segment, other_state, {});
    other.Backward();
    EXPECT_NEAR(dynamic.Score(segment, state), loss, 1e-5 * loss) << "before it learns";
    for (int64_t i = 0; i < size; ++i) {
      const double gradient = other.parameters().gradient()[i] / static_cast<double>(tokens);
      const double back = start[i] - weights[i];
      if (deviations.empty()) {
        weights[i] += -options.rate * gradient + options.decay * back;
      } else {
        const double noise = std::sqrt(kTokensOfStep / static_cast<double>(tokens));
        weights[i] += -options.rate * gradient / (noise * (deviations[i] + mean)) +
                      std::min(options.decay * deviations[i] / mean, 1.0) * back;
      }
      ASSERT_NEAR(model.parameters().values()[i], weights[i], 2e-6) << "weight " << i;
    }
  }
  double moved = 0.0;
  for (int64_t i = 0; i < size; ++i) moved = std::max(moved, std::abs(weights[i] - start[i]));
  EXPECT_GT(moved, 1e-3) << "the rate is too small to tell anything";
}

TEST(DynamicEvaluationTest, FollowsItsRuleWithTheSquaresOfAdam) {
  const Finished finished(worker::AdamOptions{}, "adam { }");
  std::vector<double> deviations = finished.squares();
  for (double& s : deviations) s = std::sqrt(s / (1.0 - std::pow(0.999, kSteps)));
  ExpectRule(finished, deviations, {.rate = 0.02, .decay = 0.1, .segment = kSegment});
  ExpectRule(finished, deviations, {.rate = 0.02, .decay = 1.0, .segment = kSegment});
}

TEST(DynamicEvaluationTest, FollowsItsRuleWithTheSquaresOfOthers) {
  const Finished rmsprop(worker::RmsPropOptions{}, "rmsprop { }");
  std::vector<double> deviations = rmsprop.squares();
  for (double& s : deviations) s = std::sqrt(s / (1.0 - std::pow(0.99, kSteps)));
  ExpectRule(rmsprop, deviations, {.rate = 0.01, .decay = 0.1, .segment = kSegment});
  const double begin = 3e-5;
  const Finished adagrad(worker::AdagradOptions{.initial_accumulator = begin},
                         "adagrad { initial_accumulator: 3e-5 }");
  deviations = adagrad.squares();
  for (double& s : deviations) s = std::sqrt((s - begin) / kSteps);
  ExpectRule(adagrad, deviations, {.rate = 0.01, .decay = 0.1, .segment = kSegment});
}

TEST(DynamicEvaluationTest, IsPlainWhereTheOptimizerHasNoSquares) {
  ExpectRule({worker::SgdOptions{}, "sgd { }"}, {},
             {.rate = 0.3, .decay = 0.1, .segment = kSegment});
  ExpectRule({worker::SgdOptions{.momentum = 0.9}, "sgd { }"}, {},
             {.rate = 0.3, .decay = 0.1, .segment = kSegment});
}

// As of a training that stopped before its first step was done.
TEST(DynamicEvaluationTest, IsPlainWhereTheSquaresAreZero) {
  ExpectRule({worker::AdamOptions{}, "adam { }", "", 0.0f}, {},
             {.rate = 0.3, .decay = 0.1, .segment = kSegment});
}

TEST(DynamicEvaluationTest, KeepsWhatWasFrozen) {
  const Finished finished(
      worker::AdamOptions{}, "adam { }",
      "model { pretrained_vectors: \"v.txt\" freeze_pretrained: true embedding_size: 3 }");
  worker::LanguageModel model(SmallModel());
  LoadParameters(finished.reader(), model.parameters());
  const auto values = model.parameters().values();
  const std::vector<float> before(values.begin(), values.end());
  DynamicEvaluation dynamic(model, finished.reader(), {.rate = 0.1, .segment = kSegment});
  worker::RecurrentState state = model.ZeroState(1);
  dynamic.Score({kSegment, 1, kInputs.data(), kTargets.data()}, state);
  const auto& frozen = model.parameters().list()[model.embedding_weight()];
  for (int64_t i = 0; i < model.parameters().size(); ++i) {
    const bool is_frozen = i >= frozen.offset && i < frozen.offset + frozen.size;
    if (is_frozen) {
      EXPECT_EQ(values[i], before[i]) << i;
    }
  }
  EXPECT_NE(std::vector<float>(values.begin(), values.end()), before);
}

TEST(DynamicEvaluationTest, EndsWhereTheModelHasDiverged) {
  const Finished finished(worker::SgdOptions{}, "sgd { }");
  worker::LanguageModel model(SmallModel());
  LoadParameters(finished.reader(), model.parameters());
  DynamicEvaluation dynamic(model, finished.reader(), {.rate = 1e300, .segment = kSegment});
  worker::RecurrentState state = model.ZeroState(1);
  const worker::TokenBatch segment = {kSegment, 1, kInputs.data(), kTargets.data()};
  try {
    for (int i = 0; i < 5; ++i) dynamic.Score(segment, state);
    FAIL() << "no error";
  } catch (const AgreedError& error) {
    EXPECT_EQ(error.status(), kDiverged);
    EXPECT_THAT(error.what(), testing::HasSubstr("Lower --dynamic"));
  }
}

TEST(DynamicEvaluationTest, LeavesOutWhatOnlyATrainingDoes) {
  const std::string regularised = kData + R"(
      model { dropout: 0.3 locked_dropout: true input_dropout: 0.1 output_dropout: 0.2
              weight_drop: 0.4 embedding_dropout: 0.5 }
      task { language_model { activation_regularization: 2 temporal_activation_regularization: 1
                              label_smoothing: 0.1 vary_time_steps: true } })";
  const proto::RunConfig config = ForDynamicEvaluation(proto::ParseRunConfig(regularised, "a"),
                                                       {.rate = 1.0, .decay = 0.0, .segment = 7});
  EXPECT_EQ(config.data().lanes(), 1);
  EXPECT_EQ(config.data().time_steps(), 7);
  EXPECT_EQ(config.model().dropout(), 0.0);
  EXPECT_EQ(config.model().input_dropout(), 0.0);
  EXPECT_EQ(config.model().output_dropout(), -1.0);
  EXPECT_EQ(config.model().weight_drop(), 0.0);
  EXPECT_EQ(config.model().embedding_dropout(), 0.0);
  EXPECT_EQ(config.task().language_model().activation_regularization(), 0.0);
  EXPECT_EQ(config.task().language_model().temporal_activation_regularization(), 0.0);
  EXPECT_EQ(config.task().language_model().label_smoothing(), 0.0);
  EXPECT_FALSE(config.task().language_model().vary_time_steps());
}

}  // namespace
}  // namespace lockstep::trainer
