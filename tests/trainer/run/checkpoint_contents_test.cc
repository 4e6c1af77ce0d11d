#include "trainer/run/checkpoint_contents.h"

#include <cstring>
#include <filesystem>
#include <fstream>
#include <iterator>
#include <memory>
#include <numeric>
#include <optional>
#include <vector>

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/io/temporary_folder.h"
#include "tests/trainer/run/small_task.h"
#include "trainer/exit_status.h"

namespace lockstep::trainer {
namespace {

using ::testing::HasSubstr;
using ::testing::UnorderedElementsAre;

constexpr int64_t kLanes = 5;

worker::Schedule PlateauSchedule() {
  return worker::Schedule(0.1, 0, worker::PlateauSchedule{0.5, 0, 0.0, 0.0});
}

// A replica of all lanes in which no two numbers are the same.
class OwnReplica : private std::unique_ptr<SmallTask>, public Replica {
 public:
  explicit OwnReplica(worker::Cell cell = worker::Cell::kLstm, int64_t cell_size = 0)
      : std::unique_ptr<SmallTask>(new SmallTask(SmallModel(cell, cell_size))),
        Replica(*get(), worker::AdamOptions{}, PlateauSchedule(), {0, kLanes}) {}
};

void Fill(Replica& replica) {
  const auto values = replica.parameters().values();
  std::iota(values.begin(), values.end(), 1.0f);
  float start = 1000.0f;
  for (auto& slot : replica.optimizer.slots()) {
    std::iota(slot.values.data(), slot.values.data() + replica.optimizer.size(), start);
    start += 1000.0f;
  }
  std::iota(replica.state.h.begin(), replica.state.h.end(), 5000.0f);
  std::iota(replica.state.c.begin(), replica.state.c.end(), 6000.0f);
}

// A replica, written and opened.
class Stored {
 public:
  explicit Stored(const Replica& replica) {
    io::CheckpointHeader header;
    StorePosition(replica, header);
    io::WriteCheckpoint(path_, header,
                        ViewTensors(replica, ViewSlots(replica.optimizer), replica.state,
                                    replica.evaluation.state));
    reader_.emplace(path_);
  }

  const io::CheckpointReader& operator*() const { return *reader_; }

 private:
  const io::TemporaryFolder folder_;
  const std::filesystem::path path_ = folder_ / "a.h5";
  std::optional<io::CheckpointReader> reader_;
};

io::CheckpointHeader HeaderOf(const Replica& replica) {
  io::CheckpointHeader header;
  StorePosition(replica, header);
  return header;
}

TEST(CheckpointContentsTest, SlicesOfAllRanksJoinToTheWhole) {
  constexpr int kLayers = 3;
  constexpr int64_t kUnits = 4;
  for (const int64_t lanes : {1, 2, 5, 10, 64}) {
    std::vector<float> all(kLayers * lanes * kUnits);
    std::iota(all.begin(), all.end(), 0.0f);
    for (int ranks = 1; ranks <= std::min<int64_t>(lanes, 7); ++ranks) {
      std::vector<float> parts;
      for (int rank = 0; rank < ranks; ++rank) {
        const LaneRange range = LanesOfRank(lanes, rank, ranks);
        const std::vector<float> part = SliceLanes(all, kLayers, lanes, range);
        ASSERT_EQ(std::ssize(part), kLayers * range.count() * kUnits);
        // [L, B, H]: layer 1, its first lane, unit 2.
        EXPECT_EQ(part[range.count() * kUnits + 2],
                  static_cast<float>((lanes + range.begin) * kUnits + 2));
        parts.insert(parts.end(), part.begin(), part.end());
      }
      EXPECT_EQ(JoinLanes(parts, kLayers, lanes, ranks), all) << lanes << " lanes, " << ranks;
    }
  }
}

TEST(CheckpointContentsTest, NoStateStaysNone) {
  EXPECT_TRUE(SliceLanes({}, 2, 5, {1, 3}).empty());
  EXPECT_TRUE(JoinLanes({}, 2, 5, 3).empty());
}

TEST(CheckpointContentsTest, NamesAndShapesAreThoseOfTheFormat) {
  const OwnReplica replica;
  std::vector<std::string> first_layer;
  for (const io::TensorView& view : ViewTensors(replica, ViewSlots(replica.optimizer),
                                                replica.state, replica.evaluation.state)) {
    if (view.name.ends_with("weight_ih_l0") || view.name.starts_with("state/")) {
      first_layer.push_back(view.name + " " + testing::PrintToString(view.shape));
    }
  }
  EXPECT_THAT(first_layer, UnorderedElementsAre("parameters/rnn.weight_ih_l0 { 16, 3 }",
                                                "optimizer/exp_avg/rnn.weight_ih_l0 { 16, 3 }",
                                                "optimizer/exp_avg_sq/rnn.weight_ih_l0 { 16, 3 }",
                                                "state/h { 2, 5, 4 }", "state/c { 2, 5, 4 }"));
}

// A replica of all lanes that averages.
class AveragingReplica : private std::unique_ptr<SmallTask>, public Replica {
 public:
  explicit AveragingReplica(const worker::AveragingOptions& options)
      : std::unique_ptr<SmallTask>(new SmallTask(SmallModel(worker::Cell::kLstm))),
        Replica(*get(), worker::AdamOptions{}, PlateauSchedule(), {0, kLanes}, options) {}
};

TEST(CheckpointContentsTest, AveragesComeBackAndPredict) {
  AveragingReplica replica(worker::ExponentialAveraging{});
  Fill(replica);
  EXPECT_EQ(HeaderOf(replica).counters.at("averaging_count"), 0);
  {
    const Stored stored(replica);
    OwnReplica other;
    LoadParameters(*stored, other.parameters());
    EXPECT_EQ(other.parameters().values()[1], 2.0f) << "there are no averages yet";
  }
  replica.averaging.Update(replica.parameters().values());
  std::ranges::fill(replica.parameters().values(), 7.0f);
  const Stored stored(replica);
  AveragingReplica other(worker::ExponentialAveraging{});
  LoadPosition((*stored).header(), "a.h5", other);
  LoadTrainedParameters(*stored, other.parameters());
  LoadOptimizer(*stored, MutableSlots(other.optimizer), other);
  EXPECT_EQ(other.averaging.state(), replica.averaging.state());
  EXPECT_TRUE(std::ranges::equal(other.parameters().values(), replica.parameters().values()));
  EXPECT_TRUE(std::ranges::equal(other.averaging.values(), replica.averaging.values()));
  OwnReplica predicts;
  LoadParameters(*stored, predicts.parameters());
  EXPECT_TRUE(std::ranges::equal(predicts.parameters().values(), replica.averaging.values()));
}

TEST(CheckpointContentsTest, WhatTriggersAveragingComesBack) {
  AveragingReplica replica(worker::TriggeredAveraging{2});
  for (const double loss : {4.0, 3.0, 3.5, 3.25}) replica.averaging.Observe(loss);
  const Stored stored(replica);
  AveragingReplica other(worker::TriggeredAveraging{2});
  LoadPosition((*stored).header(), "a.h5", other);
  EXPECT_EQ(other.averaging.state(), replica.averaging.state());
  EXPECT_EQ(other.averaging.state().least, 3.0);
  EXPECT_EQ(other.averaging.state().recent, (std::deque<double>{3.5, 3.25}));
}

TEST(CheckpointContentsTest, AnEvaluationUnderWayComesBack) {
  OwnReplica replica;
  Fill(replica);
  replica.evaluation = {3, {4.5, 5.5}, replica.task.ZeroState(kLanes)};
  std::iota(replica.evaluation.state.h.begin(), replica.evaluation.state.h.end(), 7000.0f);
  std::iota(replica.evaluation.state.c.begin(), replica.evaluation.state.c.end(), 8000.0f);
  const Stored stored(replica);
  OwnReplica other;
  LoadPosition((*stored).header(), "a.h5", other);
  EXPECT_EQ(other.evaluation.batch, 3);
  EXPECT_EQ(other.evaluation.sums, replica.evaluation.sums);
  worker::RecurrentState state = other.task.ZeroState(kLanes);
  LoadState(*stored, "evaluation", state);
  EXPECT_EQ(state.h, replica.evaluation.state.h);
  EXPECT_EQ(state.c, replica.evaluation.state.c);
  LoadState(*stored, "state", state);
  EXPECT_EQ(state.h, replica.state.h);
}

// What the first version of the program wrote.
TEST(CheckpointContentsTest, NumbersThatOlderFilesLackHaveTheirDefaults) {
  OwnReplica replica;
  io::CheckpointHeader header = HeaderOf(replica);
  for (const char* name : {"evaluation_batch", "bad_steps"}) header.counters.erase(name);
  for (const char* name : {"evaluation_loss", "first_loss", "validation_accuracy"})
    header.measures.erase(name);
  replica.evaluation = {3, {4.5}, {}};
  replica.position.bad_steps = 5;
  replica.position.first_loss = 6.5;
  LoadPosition(header, "a.h5", replica);
  EXPECT_EQ(replica.evaluation.batch, 0);
  EXPECT_TRUE(replica.evaluation.sums.empty());
  EXPECT_EQ(replica.position.bad_steps, 0);
  EXPECT_EQ(replica.position.first_loss, 0.0);
}

TEST(CheckpointContentsTest, ArraysComeBack) {
  for (const auto& [cell, cell_size] :
       {std::pair{worker::Cell::kLstm, 0}, {worker::Cell::kLstm, 9}, {worker::Cell::kGru, 0}}) {
    OwnReplica replica(cell, cell_size);
    Fill(replica);
    const Stored stored(replica);
    OwnReplica other(cell, cell_size);
    if (cell_size > 0) {
      EXPECT_THAT(*(*stored).Shape("state/h"), testing::ElementsAre(2, kLanes, 4));
      EXPECT_THAT(*(*stored).Shape("state/c"), testing::ElementsAre(2, kLanes, 9));
      EXPECT_THAT(*(*stored).Shape("parameters/rnn.weight_hr_l1"), testing::ElementsAre(4, 9));
    }
    LoadParameters(*stored, other.parameters());
    LoadOptimizer(*stored, MutableSlots(other.optimizer), other);
    LoadState(*stored, "state", other.state);

    const auto values = replica.parameters().values();
    EXPECT_EQ(std::memcmp(values.data(), other.parameters().values().data(), values.size_bytes()),
              0);
    ASSERT_EQ(other.optimizer.slots().size(), 2u);
    for (size_t slot = 0; slot < 2; ++slot) {
      EXPECT_EQ(std::memcmp(replica.optimizer.slots()[slot].values.data(),
                            other.optimizer.slots()[slot].values.data(), values.size_bytes()),
                0);
    }
    EXPECT_EQ(other.state.h, replica.state.h);
    EXPECT_EQ(other.state.c, replica.state.c);
  }
}

TEST(CheckpointContentsTest, EveryNumberOfThePositionComesBack) {
  OwnReplica replica;
  // Every field another value: a field that is not stored would come back as its default.
  replica.position = {.step = 1,
                      .epoch = 2,
                      .batch = 3,
                      .total_batches = 4,
                      .predictions = 5,
                      .evaluated_step = 6,
                      .best_step = 7,
                      .best = 8.5,
                      .evaluations_without_improvement = 9,
                      .first_loss = 18.5,
                      .bad_steps = 19,
                      .validation = {},
                      .loss = 11.5,
                      .gradient_norm = 12.5,
                      .learning_rate = 13.5,
                      .predictions_per_second = 14.5};
  replica.position.validation.values[0] = 10.5;
  replica.position.validation.values[1] = 0.75;
  replica.optimizer.set_steps(15);
  replica.schedule.set_plateau({0.25, 16.5, 17});

  OwnReplica other;
  LoadPosition((*Stored(replica)).header(), "a.h5", other);
  static_assert(
      std::is_trivially_copyable_v<Position> && sizeof(Position) == (15 + kMostMetrics) * 8,
      "a new field needs a value above");
  EXPECT_EQ(std::memcmp(&other.position, &replica.position, sizeof(Position)), 0);
  EXPECT_EQ(other.optimizer.steps(), 15);
  EXPECT_EQ(other.schedule.plateau().factor, 0.25);
  EXPECT_EQ(other.schedule.plateau().best, 16.5);
  EXPECT_EQ(other.schedule.plateau().bad_evaluations, 17);
}

// The message of the UsageError that `action` throws.
template <typename Action>
std::string ErrorOf(const Action& action) {
  try {
    action();
  } catch (const UsageError& error) {
    return error.what();
  }
  return "no error";
}

TEST(CheckpointContentsTest, TheFormatsPageNamesEveryNumber) {
  std::ifstream file(LOCKSTEP_FORMATS_MD);
  const std::string page((std::istreambuf_iterator<char>(file)), {});
  io::CheckpointHeader header = HeaderOf(OwnReplica());
  const auto expect = [&](const auto& numbers) {
    for (const auto& [name, value] : numbers) {
      EXPECT_THAT(page, HasSubstr("\n| `" + name + "` | "));
    }
  };
  expect(header.counters);
  header.measures.erase("validation_accuracy");  // the test's own
  expect(header.measures);
  AveragingReplica averaging(worker::TriggeredAveraging{1});
  averaging.averaging.Observe(1.0);
  header = HeaderOf(averaging);
  expect(header.counters);
  header.measures.erase("validation_accuracy");
  expect(header.measures);
}

TEST(CheckpointContentsTest, AMissingNumberIsAnErrorThatNamesIt) {
  OwnReplica replica;
  for (const char* name : {"tokens", "optimizer_steps", "loss", "plateau_best"}) {
    io::CheckpointHeader header = HeaderOf(replica);
    header.counters.erase(name);
    header.measures.erase(name);
    EXPECT_THAT(ErrorOf([&] { LoadPosition(header, "a.h5", replica); }),
                AllOf(HasSubstr("a.h5"), HasSubstr(name), HasSubstr("another version")));
  }
}

TEST(CheckpointContentsTest, AnotherModelIsAnErrorThatNamesTheDifference) {
  const OwnReplica replica;
  const Stored stored(replica);

  worker::LanguageModelOptions options = SmallModel();
  options.hidden_size = 6;
  worker::LanguageModel wider(options);
  EXPECT_THAT(ErrorOf([&] { LoadParameters(*stored, wider.parameters()); }),
              AllOf(HasSubstr("a.h5"), HasSubstr("[16, 3]"), HasSubstr("[24, 3]")));

  options = SmallModel();
  options.layers = 3;
  worker::LanguageModel deeper(options);
  EXPECT_THAT(ErrorOf([&] { LoadParameters(*stored, deeper.parameters()); }),
              AllOf(HasSubstr("a.h5"), HasSubstr("rnn.weight_ih_l2")));

  worker::RecurrentState more_lanes = replica.task.ZeroState(kLanes + 1);
  EXPECT_THAT(ErrorOf([&] { LoadState(*stored, "state", more_lanes); }),
              AllOf(HasSubstr("a.h5"), HasSubstr("state/h"), HasSubstr("[2, 6, 4]")));

  SmallTask task(SmallModel());
  Replica momentum(task, worker::SgdOptions{.momentum = 0.9}, PlateauSchedule(), {0, kLanes});
  EXPECT_THAT(ErrorOf([&] { LoadOptimizer(*stored, MutableSlots(momentum.optimizer), momentum); }),
              AllOf(HasSubstr("a.h5"), HasSubstr("momentum_buffer")));
}

// A cell that forgets a part of its state, or a file that has one more.
TEST(CheckpointContentsTest, AStateOfOtherPartsIsAnError) {
  const OwnReplica lstm, gru(worker::Cell::kGru);
  worker::RecurrentState of_lstm = lstm.task.ZeroState(kLanes), of_gru = gru.task.ZeroState(kLanes);
  EXPECT_THAT(ErrorOf([&] { LoadState(*Stored(lstm), "state", of_gru); }),
              AllOf(HasSubstr("a.h5"), HasSubstr("holds state/c")));
  EXPECT_THAT(ErrorOf([&] { LoadState(*Stored(gru), "state", of_lstm); }),
              AllOf(HasSubstr("a.h5"), HasSubstr("holds no state/c")));
}

}  // namespace
}  // namespace lockstep::trainer
