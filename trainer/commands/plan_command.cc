#include <algorithm>
#include <array>
#include <chrono>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "trainer/commands/benchmark_step.h"
#include "trainer/commands/commands.h"
#include "trainer/ranks/gradient_sum.h"
#include "trainer/ranks/rank_threads.h"
#include "trainer/run/memory_need.h"
#include "trainer/run/plan.h"
#include "trainer/run/progress.h"
#include "trainer/run/replica.h"
#include "trainer/run/train_loop.h"
#include "trainer/tasks/model_options.h"
#include "trainer/tasks/task.h"
#include "trainer/terminal/output.h"
#include "worker/models/initialization.h"
#include "worker/optimizers/clip.h"

namespace lockstep::trainer {
namespace {

constexpr int kMostRanks = 1024;
// Twice the ranks pay where the step is so much faster.
constexpr double kPays = 1.5;
constexpr double kMegabyte = 1e6;
// Of each number of ranks: after one step that is not counted, the medians of so many, but no more
// than about so long.
constexpr int kSteps = 5;
constexpr double kMostSeconds = 8.0;
// The weights stay about where they begin.
constexpr double kRate = 1e-9;

using Clock = std::chrono::steady_clock;

double SecondsSince(Clock::time_point start) {
  return std::chrono::duration<double>(Clock::now() - start).count();
}

/// A row of the table.
struct Row {
  RankLayout layout;
  int64_t lanes = 0;  ///< of the rank that has most
  StepTimes times;
  double exposed = 0.0;
  double predictions = 0.0;  ///< of a step, over all ranks
  int64_t steps_per_epoch = 0;
  int64_t bytes = 0;  ///< of a rank
  double epoch_seconds() const { return static_cast<double>(steps_per_epoch) * seconds(); }
  double seconds() const { return times.before + times.backward + exposed + times.update; }
  double speed() const { return predictions / seconds(); }
};

/// Measures steps as ranks of a larger job do them, on all ranks of this one at the same time.
class StepMeasure {
 public:
  StepMeasure(Communicator& communicator, const proto::RunConfig& config)
      : communicator_(communicator), config_(config) {}

  /// Collective. What a step takes the slowest rank, where there are so many.
  Row Measure(const RankLayout& layout) {
    const int ranks = layout.ranks();
    const int64_t lanes = config_.data().lanes();
    // The last ranks of a job have the most lanes.
    const RankPlace place = {ranks - 1 - communicator_.rank(), ranks};
    Row row;
    row.layout = layout;
    row.lanes = LanesOfRank(lanes, ranks - 1, ranks).count();
    std::unique_ptr<Task> task;
    communicator_.Together([&] {
      task = OpenTask(config_, place);
      task->PrepareTraining();
      task->Allocate(worker::Pass::kForwardAndBackward);
      row.steps_per_epoch = LengthOf(config_.training(), task->batches()).steps_per_epoch;
    });
    unit_ = task->unit();
    worker::Initialize(task->parameters(), InitializationOptions(config_));
    const auto options = OptimizerOptions(config_.optimizer());
    const auto averaging = AveragingOptions(config_.optimizer().averaging());
    std::optional<std::vector<worker::ParameterRange>> updated;
    const std::vector<int> hosts(layout.hosts, layout.ranks_per_host);
    if (shards()) {
      updated = GradientSum::SharesOf(task->parameters().size(), place.rank, hosts, ranks);
    }
    const JobSize job = {lanes, hosts, ranks, SumFormOf(config_.training().reduction())};
    row.bytes = NeedOf(task->Size(), options, job, averaging).bytes();
    Replica replica(*task, options, MakeSchedule(config_.optimizer(), kSteps),
                    LanesOfRank(lanes, place.rank, ranks), averaging, std::move(updated));
    MeasureSteps(replica, row);
    if (!costs_) MeasureSum(*task);
    return row;
  }

  // After that.
  const SumCosts& costs() const { return *costs_; }
  const std::string& unit() const { return unit_; }

 private:
  bool shards() const { return config_.training().reduction().shard_optimizer(); }

  void MeasureSteps(Replica& replica, Row& row) {
    const int64_t batches = config_.training().accumulate_batches();
    Task& task = replica.task;
    const auto gradient = replica.parameters().gradient();
    std::vector<double> before, backward, update;
    int64_t batch = 0;
    double sum_of_weights = 0.0;
    const auto begun = Clock::now();
    for (int step = -1; step < kSteps; ++step) {
      // All ranks begin together, and agree to end.
      std::array<double, 1> spent = {SecondsSince(begun)};
      communicator_.Max(spent);
      if (step > 0 && spent[0] > kMostSeconds) break;
      double last = 0.0, weight = 0.0;
      const auto start = Clock::now();
      replica.parameters().ClearGradient();
      for (int64_t i = 0; i < batches; ++i, ++batch) {
        const BatchPlace place = {config_.training().seed(), 0, batch % task.batches(), batch};
        weight += task.Read(place);
        task.Forward(place, replica.state);
        const auto back = Clock::now();
        row.times.ready.clear();
        task.Backward([&](int64_t offset) {
          row.times.ready.push_back({offset, SecondsSince(back)});
        });
        last = SecondsSince(back);
      }
      const double computed = SecondsSince(start);
      const auto updating = Clock::now();
      weight = std::max(weight, 1.0);
      const double norm =
          worker::NormOfBlocks(worker::BlockSquares(gradient, replica.optimizer.ranges())) / weight;
      replica.optimizer.Step(replica.parameters().values(), gradient, kRate,
                             ChangeOf(config_.optimizer().clip(), weight, norm));
      replica.averaging.Update(replica.parameters().values());
      if (step < 0) continue;
      update.push_back(SecondsSince(updating));
      backward.push_back(last);
      before.push_back(computed - last);
      sum_of_weights += weight;
    }
    std::array<double, 3> slowest = {Median(before), Median(backward), Median(update)};
    communicator_.Max(slowest);
    // The times of the pieces are those of the last step.
    for (ReadyTime& ready : row.times.ready) ready.seconds *= slowest[1] / backward.back();
    row.times.before = slowest[0];
    row.times.backward = slowest[1];
    row.times.update = slowest[2];
    std::array<double, 2> sums = {sum_of_weights / static_cast<double>(before.size()),
                                  static_cast<double>(replica.lanes.count())};
    communicator_.Sum(std::span<double>(sums));
    // Those who are not here have fewer lanes, or by tokens as much to do.
    const proto::Data& data = config_.data();
    row.predictions =
        sums[0] * (data.tokens_per_batch() > 0
                       ? row.layout.ranks() / static_cast<double>(communicator_.size())
                       : data.lanes() / sums[1]);
  }

  // Between the ranks of this host.
  void MeasureSum(Task& task) {
    const proto::Reduction& reduction = config_.training().reduction();
    costs_.emplace();
    costs_->parameters = task.parameters().size();
    costs_->form = SumFormOf(reduction, task);
    costs_->overlap = reduction.overlap() != proto::Reduction::NEVER;
    if (communicator_.size() == 1) return;
    GradientSum sum(communicator_, task.parameters().gradient(), costs_->form);
    std::vector<double> seconds;
    for (int i = -1; i < kSteps; ++i) {
      std::array<double, 1> together = {0.0};
      communicator_.Max(together);
      const auto start = Clock::now();
      sum.Finish();
      if (shards()) sum.ShareOut(task.parameters().values());
      if (i >= 0) seconds.push_back(SecondsSince(start));
    }
    std::array<double, 1> slowest = {Median(seconds)};
    communicator_.Max(slowest);
    costs_->in_host_seconds = slowest[0];
  }

  Communicator& communicator_;
  const proto::RunConfig& config_;
  std::optional<SumCosts> costs_;
  std::string unit_;
};

// 1, 2, 4, ... hosts, and those that were asked for.
std::vector<int> HostCounts(const PlanArguments& arguments, int ranks_per_host, int64_t lanes) {
  const int64_t most = std::min<int64_t>(lanes, kMostRanks) / ranks_per_host;
  std::vector<int> hosts;
  for (int64_t count = 1; count <= most; count *= 2) hosts.push_back(static_cast<int>(count));
  if (arguments.hosts <= most && std::ranges::find(hosts, arguments.hosts) == hosts.end()) {
    hosts.push_back(arguments.hosts);
  }
  std::ranges::sort(hosts);
  return hosts;
}

// Down to how many lanes a rank twice the ranks have paid each time.
int64_t LeastLanes(const std::vector<Row>& rows) {
  const Row* last = &rows.front();
  for (const Row& row : rows) {
    if (row.layout.hosts != 2 * last->layout.hosts) continue;  // one between
    if (row.speed() < kPays * last->speed()) break;
    last = &row;
  }
  return last->lanes;
}

void Write(const std::vector<Row>& rows, const PlanArguments& arguments, const std::string& unit) {
  const auto asked = [&](const Row& row) { return row.layout.hosts == arguments.hosts; };
  if (arguments.json) {
    nlohmann::ordered_json all = nlohmann::json::array();
    for (const Row& row : rows) {
      all.push_back({{"hosts", row.layout.hosts},
                     {"ranks", row.layout.ranks()},
                     {"lanes_a_rank", row.lanes},
                     {"step_seconds", row.seconds()},
                     {"exposed_seconds", row.exposed},
                     {unit + "_per_second", row.speed()},
                     {"epoch_seconds", row.epoch_seconds()},
                     {"memory_bytes_a_rank", row.bytes},
                     {"asked_for", asked(row)}});
    }
    WriteJson({{"rows", all}, {"least_lanes_a_rank", LeastLanes(rows)}});
    return;
  }
  WriteResult(fmt::format("{:>6}{:>7}{:>12}{:>12}{:>10}{:>14}{:>12}{:>12}{:>11}\n", "hosts",
                          "ranks", "lanes/rank", "step", "exposed", fmt::format("{}/s", unit),
                          "speed-up", "epoch", "MB/rank"));
  for (const Row& row : rows) {
    WriteResult(fmt::format(
        "{:>6}{:>7}{:>12}{:>12}{:>9.1f}%{:>14.0f}{:>12.2f}{:>12}{:>11.0f}{}\n", row.layout.hosts,
        row.layout.ranks(), row.lanes, fmt::format("{:.1f} ms", 1e3 * row.seconds()),
        100.0 * row.exposed / row.seconds(), row.speed(), row.speed() / rows.front().speed(),
        DescribeSeconds(row.epoch_seconds()), static_cast<double>(row.bytes) / kMegabyte,
        asked(row) ? "  <" : ""));
  }
  WriteResult(
      fmt::format("Twice the ranks are at least {} times as fast down to {} lanes a rank.\n", kPays,
                  LeastLanes(rows)));
}

}  // namespace

ExitStatus Plan(Communicator& communicator, const PlanArguments& arguments) {
  Console console(!communicator.is_root(), arguments.progress);
  proto::RunConfig config;
  std::optional<Network> network;
  communicator.Together([&] {
    config = proto::LoadRunConfig(arguments.configuration, arguments.overrides);
    network = ParseNetwork(arguments.network);
    if (communicator.host_share().ranks < communicator.size()) {
      throw UsageError(
          "a plan is made from the ranks of one host: start them with mpirun on one host, or this "
          "command without mpirun and with --ranks-per-host.");
    }
    if (arguments.ranks_per_host > 0 && arguments.ranks_per_host != communicator.size()) {
      throw UsageError(fmt::format("--ranks-per-host {}, but there are {} ranks here.",
                                   arguments.ranks_per_host, communicator.size()));
    }
    const int64_t lanes = config.data().lanes();
    const int64_t ranks = int64_t{arguments.hosts} * communicator.size();
    if (ranks > std::min<int64_t>(lanes, kMostRanks)) {
      throw UsageError(fmt::format(
          "{} hosts x {} ranks are {} ranks; allowed: up to {}{}.", arguments.hosts,
          communicator.size(), ranks, std::min<int64_t>(lanes, kMostRanks),
          lanes < kMostRanks ? fmt::format(", a rank for each of data.lanes ({})", lanes) : ""));
    }
  });
  const int threads = ChooseThreads(communicator, console, config.training().threads());
  console.Info(fmt::format("measuring with {} rank(s) of {} thread(s) on {}", communicator.size(),
                           threads, communicator.host()));
  StepMeasure measure(communicator, config);
  std::vector<Row> rows;
  for (const int hosts : HostCounts(arguments, communicator.size(), config.data().lanes())) {
    console.Live(fmt::format("measuring a step of {} ranks", hosts * communicator.size()));
    Row row = measure.Measure({hosts, communicator.size()});
    row.exposed = ExposedSeconds(row.times, measure.costs(), row.layout, *network);
    rows.push_back(row);
  }
  console.EndLive();
  if (communicator.is_root()) Write(rows, arguments, measure.unit());
  return kDone;
}

}  // namespace lockstep::trainer
