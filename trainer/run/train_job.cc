#include "trainer/run/train_job.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <functional>
#include <map>
#include <memory>
#include <new>
#include <optional>
#include <ratio>
#include <stdexcept>
#include <thread>
#include <utility>
#include <vector>

#include <fmt/format.h>

#include "io/run/metrics_log.h"
#include "io/run/run_folder.h"
#include "trainer/ranks/gradient_sum.h"
#include "trainer/ranks/host_memory.h"
#include "trainer/ranks/rank_threads.h"
#include "trainer/ranks/stop_signal.h"
#include "trainer/run/checkpointer.h"
#include "trainer/run/memory_need.h"
#include "trainer/run/train_loop.h"
#include "trainer/tasks/model_options.h"
#include "trainer/tasks/task.h"
#include "worker/layers/gate_kernels.h"
#include "worker/models/initialization.h"
#include "worker/products/bfloat16.h"
#include "worker/products/gemm.h"

namespace lockstep::trainer {
namespace {

constexpr double kMegabyte = 1e6;

// Rank 0 reads the configuration; the others get its complete text.
proto::RunConfig LoadConfiguration(Communicator& communicator, const TrainArguments& arguments) {
  proto::RunConfig config;
  std::string text;
  communicator.OnRoot([&] {
    config = proto::LoadRunConfig(arguments.configuration, arguments.overrides);
    text = proto::PrintRunConfig(config);
  });
  communicator.Broadcast(text);
  if (!communicator.is_root()) config = proto::ParseRunConfig(text, "rank 0's configuration");
  return config;
}

std::unique_ptr<Task> OpenData(Communicator& communicator, const proto::RunConfig& config) {
  std::unique_ptr<Task> task;
  communicator.Together([&] {
    const int64_t lanes = config.data().lanes();
    if (communicator.size() > lanes) {
      throw UsageError(
          fmt::format("{} ranks for data.lanes {}: a rank would have nothing to do. Start at most "
                      "{} ranks, or raise data.lanes.",
                      communicator.size(), lanes, lanes));
    }
    task = OpenTask(config, {communicator.rank(), communicator.size()});
    task->CanMeasure(config.evaluation().split());  // must exist, even if it is empty
    MetricIndex(*task, config.evaluation().best_metric());
    task->PrepareTraining();
  });
  communicator.RequireSame(task->fingerprint(), "the fingerprint of " + config.data().path());
  return task;
}

// Rank 0 takes the run folder. While another job holds it (one that is just ending, an orphan on
// another host, a lock that lingers on a network file system) all ranks wait, together, so that
// none waits in a collective and a stop signal to any of them ends it.
void HoldFolder(Communicator& communicator, Console& console, const proto::Training& config,
                std::optional<io::RunFolder>& folder) {
  constexpr auto kTick = std::chrono::milliseconds(200);
  using Clock = std::chrono::steady_clock;
  const auto start = Clock::now();
  const auto minutes = std::chrono::duration<double, std::ratio<60>>(config.lock_minutes());
  std::string last_holder;
  for (bool told = false;; told = true) {
    std::string holder;
    communicator.OnRoot([&] {
      try {
        folder.emplace(config.folder());
        if (folder->locked() || !told) return;
        // It knew locks a moment ago: its lock service does not answer.
        folder.reset();
        holder = last_holder;
      } catch (const io::FolderInUseError& error) {
        holder = last_holder = error.what();
      }
    });
    // Rank 0's clock decides.
    std::array<double, 3> now = {
        holder.empty() ? 0.0 : 1.0, static_cast<double>(StopSignal()),
        communicator.is_root() && Clock::now() - start >= minutes ? 1.0 : 0.0};
    communicator.Max(now);
    if (now[0] == 0.0) return;
    communicator.Broadcast(holder);
    if (now[1] > 0.0) {
      throw AgreedError(fmt::format("stopped by signal {:.0f} while waiting: {}", now[1], holder),
                        kStopped);
    }
    if (now[2] > 0.0) {
      throw AgreedError(
          fmt::format("{} Waited {} minutes (training.lock_minutes); the same command "
                      "may be started again.",
                      holder, config.lock_minutes()),
          kStopped);
    }
    if (!told) {
      console.Warn(
          fmt::format("{} Waiting up to {} minutes for it.", holder, config.lock_minutes()));
    }
    std::this_thread::sleep_for(kTick);
  }
}

// False, with a word why, where the evaluation's split holds nothing to predict.
bool CanEvaluate(Communicator& communicator, Console& console, const proto::RunConfig& config,
                 const Task& task) {
  const std::string& name = config.evaluation().split();
  if (task.CanMeasure(name)) return true;
  const std::string reason =
      fmt::format("{}: split \"{}\" holds nothing to predict", task.data_path().string(), name);
  communicator.Together([&] {
    if (config.evaluation().early_stopping().patience() > 0 ||
        config.optimizer().schedule().has_plateau() ||
        config.optimizer().averaging().has_nt_asgd()) {
      throw UsageError(
          reason +
          ", but early stopping, the plateau schedule and NT-ASGD need it. Import with a "
          "larger share for it "
          "(--split), or ask for shorter predictions.");
    }
  });
  console.Warn(reason + ": there will be no evaluation and no best checkpoint.");
  return false;
}

std::string DescribeHosts(const std::vector<std::string>& hosts) {
  std::map<std::string, int> ranks;
  for (const std::string& host : hosts) ++ranks[host];
  std::string text;
  for (const auto& [host, count] : ranks) {
    text += fmt::format("{}{} x {}", text.empty() ? "" : ", ", host, count);
  }
  return text;
}

void Introduce(Communicator& communicator, Console& console, const proto::RunConfig& config,
               const Task& task, const MemoryNeed& need, const TrainingLength& length,
               int threads) {
  const std::vector<std::string> hosts = communicator.Gather(communicator.host());
  if (!communicator.is_root()) return;
  console.Info(
      fmt::format("lockstep {}: {} rank(s) on {}; {} thread(s) each; oneDNN {}; gate kernels {}",
                  LOCKSTEP_VERSION, communicator.size(), DescribeHosts(hosts), threads,
                  worker::GemmDescription(), worker::GateKernelTarget()));
  const proto::Model& model = config.model();
  const int projection = model.projection_size();
  console.Info(fmt::format("model: {} {} x {}{}, {}, {} parameters", proto::Cell_Name(model.cell()),
                           model.layers(), model.hidden_size(),
                           projection > 0 ? fmt::format(" projected to {}", projection) : "",
                           task.DescribeModel(), need.parameters));
  if (model.precision() == proto::Model::BF16) {
    if (worker::UsesBfloat16Instructions()) {
      console.Info("precision: products in bf16, by this processor's instructions for it");
    } else {
      console.Warn(fmt::format(
          "model.precision BF16 saves no time here: float32's instructions multiply the rounded "
          "operands, since this process has {} for bf16.",
          worker::HasBfloat16Instructions() ? "only slower ones" : "none"));
    }
  }
  const std::vector<int>& sizes = communicator.host_sizes();
  if (sizes.size() != 1) {
    const SumForm form = SumFormOf(config.training().reduction());
    console.Info(GradientSum::WayOf(sizes, communicator.size(), form).through_hosts
                     ? "gradients: added on each host, then between hosts"
                     : "gradients: each rank sends every other one its part");
  }
  const int64_t lanes = config.data().lanes();
  console.Info(
      fmt::format("data: {}, {}; {} lanes ({} on rank 0), {} steps an epoch, {} steps in all",
                  task.data_path().string(), task.DescribeData(), lanes,
                  LanesOfRank(lanes, 0, communicator.size()).count(), length.steps_per_epoch,
                  length.total_steps));
}

// Before anything is allocated. The host that lacks most speaks for all.
void TellMemory(Communicator& communicator, Console& console, const MemoryNeed& need) {
  const int64_t at_checkpoints = communicator.is_root() ? need.checkpoint_bytes : 0;
  const int64_t available = AvailableMemoryBytes();
  const int64_t lacking =
      need.bytes() * communicator.host_share().ranks + at_checkpoints - available;
  std::array<double, 1> most = {available > 0 ? static_cast<double>(lacking) : 0.0};
  communicator.Max(most);
  const auto megabytes = [](int64_t bytes) { return static_cast<double>(bytes) / kMegabyte; };
  console.Info(fmt::format(
      "memory: about {:.0f} MB a rank (parameters, gradient, optimizer {:.0f}; "
      "activations {:.0f}) and {:.0f} MB more on rank 0 at a checkpoint; {:.0f} MB "
      "available on this host",
      megabytes(need.bytes()), megabytes(need.fixed_bytes), megabytes(need.working_bytes),
      megabytes(need.checkpoint_bytes), megabytes(available)));
  if (most[0] > 0.0) {
    console.Warn(
        fmt::format("a host lacks {:.0f} MB for its ranks: lower data.lanes or "
                    "model.hidden_size, or use more hosts.",
                    most[0] / kMegabyte));
  }
}

// Agreed: where one rank cannot have its memory, no rank goes on.
void Allocate(Communicator& communicator, const std::function<void()>& allocate) {
  communicator.Together([&] {
    try {
      allocate();
    } catch (const std::bad_alloc&) {
      throw std::runtime_error(
          fmt::format("no memory on {} for the model: lower model.hidden_size, "
                      "start fewer ranks on a host, or use hosts with more memory.",
                      communicator.host()));
    }
  });
}

// Rank 0: a new training begins with the weights of a finished one.
void StartFrom(Console& console, const std::filesystem::path& path, const proto::RunConfig& config,
               Task& task) {
  const io::CheckpointReader checkpoint(path);
  const proto::RunConfig then =
      proto::ParseRunConfig(checkpoint.header().configuration, path.string());
  if (then.task().kind_case() != config.task().kind_case()) {
    throw UsageError(
        fmt::format("{}: cannot be started from: it was trained for another task than the "
                    "configuration's.",
                    path.string()));
  }
  const std::vector<std::string> lines = task.StartFrom(checkpoint);
  console.Info(fmt::format("starting from the weights of {} (step {})", path.string(),
                           checkpoint.header().step));
  for (const std::string& line : lines) console.Info(line);
}

void Conclude(Communicator& communicator, Console& console, const proto::RunConfig& config,
              const Replica& replica, const TrainLoop& loop, TrainLoop::Outcome outcome,
              const Checkpointer& checkpointer, const std::string& resume) {
  std::array<double, 2> most = {static_cast<double>(PeakMemoryBytes()),
                                static_cast<double>(StopSignal())};
  communicator.Max(most);
  if (!communicator.is_root()) return;
  console.EndLive();
  const Position& position = replica.position;
  console.Info(fmt::format("time on rank 0: {}", loop.timer().Summary()));
  console.Info(fmt::format("peak memory: {:.0f} MB a rank", most[0] / kMegabyte));
  if (position.best_step > 0) {
    const std::string& metric = config.evaluation().best_metric();
    const std::string meaning = metric == "loss" ? replica.task.DescribeLoss(position.best) : "";
    console.Info(fmt::format("best validation {} {:.4f}{} at step {}: {}/checkpoints/best.h5",
                             metric, position.best,
                             meaning.empty() ? "" : fmt::format(" ({})", meaning),
                             position.best_step, config.training().folder()));
  }
  if (outcome == TrainLoop::Outcome::kSignal) {
    console.Info(fmt::format(
        "stopped by signal {} after step {}; saved {}. Start the same command again{} to go on.",
        static_cast<int>(most[1]), position.step, checkpointer.last_saved().string(),
        resume == "auto" ? "" : " without --resume"));
    return;
  }
  console.Info(fmt::format("{} after step {}; saved {}",
                           outcome == TrainLoop::Outcome::kComplete ? "complete" : "stopped early",
                           position.step, checkpointer.last_saved().string()));
  const std::string file = position.best_step > 0
                               ? config.training().folder() + "/checkpoints/best.h5"
                               : checkpointer.last_saved().string();
  // Without a best one there was nothing to evaluate on.
  const std::string& split =
      position.best_step > 0 ? config.evaluation().split() : config.data().split();
  console.Info(fmt::format("next: lockstep evaluate {0} --split {1}; lockstep {2} {0}", file, split,
                           replica.task.prediction_command()));
}

}  // namespace

ExitStatus Train(Communicator& communicator, const TrainArguments& arguments) {
  if (!arguments.start_from.empty() && arguments.resume != "auto" && arguments.resume != "never") {
    throw AgreedError(
        "--start-from begins a new run, --resume with a file goes on with one: give one of them.",
        kWrongInput);
  }
  Console console(!communicator.is_root(), arguments.progress);
  const proto::RunConfig config = LoadConfiguration(communicator, arguments);
  communicator.SetTimeoutSeconds(60.0 * config.training().timeout_minutes());
  const std::unique_ptr<Task> task = OpenData(communicator, config);
  std::optional<io::RunFolder> folder;
  HoldFolder(communicator, console, config.training(), folder);
  communicator.OnRoot([&] {
    console.OpenLog(folder->log());
    if (!folder->locked()) {
      console.Warn(
          fmt::format("the file system of {} knows no locks: nothing keeps a second run out "
                      "of this folder. Make sure that no other uses it.",
                      config.training().folder()));
    }
  });
  const bool evaluate = CanEvaluate(communicator, console, config, *task);

  TrainingLength length;
  communicator.Together([&] { length = LengthOf(config.training(), task->batches()); });
  const int threads = ChooseThreads(communicator, console, config.training().threads());
  const auto optimizer = OptimizerOptions(config.optimizer());
  const int64_t lanes = config.data().lanes();
  const auto averaging = AveragingOptions(config.optimizer().averaging());
  const bool shards = config.training().reduction().shard_optimizer();
  const MemoryNeed need = NeedOf(task->Size(), optimizer,
                                 {lanes, communicator.host_sizes(), communicator.size(),
                                  SumFormOf(config.training().reduction())},
                                 averaging);
  Introduce(communicator, console, config, *task, need, length, threads);
  TellMemory(communicator, console, need);
  std::optional<Replica> allocated;
  Allocate(communicator, [&] {
    task->Allocate(worker::Pass::kForwardAndBackward);
    const int rank = communicator.rank(), ranks = communicator.size();
    std::optional<std::vector<worker::ParameterRange>> updated;
    if (shards)
      updated =
          GradientSum::SharesOf(task->parameters().size(), rank, communicator.host_sizes(), ranks);
    allocated.emplace(*task, optimizer, MakeSchedule(config.optimizer(), length.total_steps),
                      LanesOfRank(lanes, rank, ranks), averaging, std::move(updated));
  });
  Replica& replica = *allocated;

  std::optional<io::MetricsLog> metrics;  // the checkpointer may be writing when an error ends this
  Checkpointer checkpointer(communicator, console, folder ? &*folder : nullptr, config, *task);
  const std::string resumed = checkpointer.Restore(arguments.resume, replica);
  if (resumed.empty()) {
    worker::Initialize(task->parameters(), InitializationOptions(config));
    std::vector<std::string> pretrained;
    communicator.OnRoot([&] { pretrained = task->LoadPretrained(); });
    for (const std::string& line : pretrained) console.Info(line);
    if (!arguments.start_from.empty()) {
      communicator.OnRoot([&] { StartFrom(console, arguments.start_from, config, *task); });
    }
    // Mathematical functions may differ in the last bit between hosts.
    communicator.Broadcast(replica.parameters().values());
    console.Info(fmt::format("new run in {}", config.training().folder()));
  } else {
    console.Info(fmt::format("going on from {} (step {})", resumed, replica.position.step));
  }
  const Position& position = replica.position;
  // A stop may have put off the last evaluation.
  const bool evaluated = !evaluate || position.evaluated_step == position.step;
  // Then the loop does nothing but write the last step's line, which a kill may have kept from
  // being written, and judge the end.
  const bool complete = position.step >= length.total_steps && evaluated;

  communicator.OnRoot([&] {
    const auto aside = folder->WriteConfiguration(proto::PrintRunConfig(config));
    if (!aside.empty()) {
      console.Info(fmt::format("{} was another; that one is now {}",
                               folder->configuration().string(), aside.string()));
    }
    // The line of the last step is written again, with the validation loss where its evaluation was
    // put off.
    metrics.emplace(folder->metrics(), std::max<int64_t>(0, replica.position.step - 1));
  });
  TrainLoop loop(communicator, console, config, length, evaluate, checkpointer,
                 metrics ? &*metrics : nullptr, replica);
  const TrainLoop::Outcome outcome = loop.Run();
  if (complete) {
    console.Info(
        fmt::format("this run is complete ({} steps). Raise training.epochs (or steps) to go on, "
                    "or start anew with --resume never.",
                    position.step));
    return kDone;
  }
  Conclude(communicator, console, config, replica, loop, outcome, checkpointer, arguments.resume);
  return outcome == TrainLoop::Outcome::kSignal ? kStopped : kDone;
}

}  // namespace lockstep::trainer
