#include "trainer/run/checkpointer.h"

#include <cmath>
#include <new>
#include <thread>

#include <fmt/format.h>

#include "io/files/digest.h"
#include "trainer/exit_status.h"
#include "trainer/run/checkpoint_contents.h"
#include "worker/optimizers/clip.h"

namespace lockstep::trainer {
namespace {

// The system of rank 0 could not write, which may pass.
class WriteFailure : public AgreedError {
 public:
  using AgreedError::AgreedError;
};

}  // namespace

Checkpointer::Checkpointer(Communicator& communicator, Console& console,
                           const io::RunFolder* folder, const proto::RunConfig& config,
                           const Task& task)
    : communicator_(communicator),
      console_(console),
      folder_(folder),
      config_(config),
      task_(task) {
  if (folder_) checkpoints_.emplace(folder_->checkpoints());
}

// Rank 0: reads what is gone on from into `replica`, `state` and, where an evaluation is under way,
// `evaluation`, those of all lanes; returns its path, empty for a new start.
std::string Checkpointer::Load(const std::string& resume, Replica& replica,
                               worker::RecurrentState& state, worker::RecurrentState& evaluation) {
  // Without a lock they may be another run's work.
  if (folder_->locked()) checkpoints_->RemoveLeftovers();
  if (resume == "never") return "";
  const auto load = [&](const io::CheckpointReader& checkpoint) {
    const proto::RunConfig then = RequireSameTraining(checkpoint);
    LoadPosition(checkpoint.header(), checkpoint.path().string(), replica);
    LoadTrainedParameters(checkpoint, replica.parameters());
    LoadOptimizer(checkpoint, replica);
    state = task_.ZeroState(config_.data().lanes());
    LoadState(checkpoint, "state", state);
    if (proto::FindDifference(then, config_, proto::EVALUATION)) {
      replica.evaluation = {};  // it begins anew
    }
    WarnOfOtherPart(checkpoint.header(), replica.position);
    // What is best by one measure is not by another.
    if (then.evaluation().best_metric() != config_.evaluation().best_metric()) {
      replica.position.ForgetBest();
    }
    if (replica.evaluation.batch > 0) {
      evaluation = task_.ZeroState(config_.data().lanes());
      LoadState(checkpoint, "evaluation", evaluation);
    }
  };
  if (resume != "auto") {
    load(io::CheckpointReader(resume));
    return resume;
  }
  std::vector<std::string> passed_over;
  size_t told = 0;
  const auto tell = [&] {
    for (; told < passed_over.size(); ++told) console_.Warn("passed over " + passed_over[told]);
  };
  const auto found = checkpoints_->LoadNewest(
      [&](const io::CheckpointReader& checkpoint) {
        tell();  // before this one turns out to be of another model
        load(checkpoint);
      },
      &passed_over);
  tell();
  if (found) return found->string();
  if (!passed_over.empty()) {
    throw UsageError(
        fmt::format("{}: holds checkpoints, but none is whole. Bring one back from a copy, or "
                    "start anew with --resume never (they are kept "
                    "under another name).",
                    folder_->checkpoints().string()));
  }
  return "";
}

// Files of the first version have losses of the whole split, with which those to come are compared.
void Checkpointer::WarnOfOtherPart(const io::CheckpointHeader& header,
                                   const Position& position) const {
  const int64_t most = config_.evaluation().most_tokens();
  if (header.counters.contains("evaluation_batch") || position.best_step == 0 || most == 0) return;
  console_.Warn(
      fmt::format("the best validation loss so far is that of the whole split; from now on at most "
                  "{} of its {} are counted. evaluation.most_tokens: 0 counts all of them.",
                  most, task_.unit()));
}

// Rank 0, after all that can be wrong with the start: what it does not go on from gets another
// name.
void Checkpointer::BeginAnew() {
  for (const auto& [from, to] : folder_->BeginAnew()) {
    console_.Info(fmt::format("{} of an earlier run is now {}", from.string(), to.string()));
  }
}

// Returns the configuration that it was trained with.
proto::RunConfig Checkpointer::RequireSameTraining(const io::CheckpointReader& checkpoint) const {
  const io::CheckpointHeader& header = checkpoint.header();
  const std::string name = checkpoint.path().string();
  proto::RunConfig then = proto::ParseRunConfig(header.configuration, name);
  if (const auto difference = proto::FindDifference(then, config_, proto::TRAINING)) {
    throw UsageError(
        fmt::format("{}: was trained with {} {}, the configuration says {}. Set it back, or train "
                    "anew in another training.folder (or with "
                    "--resume never).",
                    name, difference->field, difference->then, difference->now));
  }
  if (header.dataset_fingerprint != task_.fingerprint()) {
    throw UsageError(fmt::format(
        "{}: was trained on a dataset with fingerprint {}, but {} has {}: the data have changed. "
        "Bring back the old dataset, or train anew in "
        "another training.folder (or with --resume never).",
        name, header.dataset_fingerprint, task_.data_path().string(), task_.fingerprint()));
  }
  return then;
}

std::string Checkpointer::Restore(const std::string& resume, Replica& replica) {
  std::string name;
  worker::RecurrentState all, evaluation;
  std::filesystem::path anew;  // where the first checkpoint of a new run goes
  communicator_.OnRoot([&] {
    name = Load(resume, replica, all, evaluation);
    if (resume != "auto") {
      anew = folder_->PrepareAnew();
      if (resume == "never") BeginAnew();
      return;
    }
    if (!name.empty()) {
      for (const auto& path : checkpoints_->SetAsideBeyond(replica.position.step)) {
        console_.Warn(fmt::format("what was passed over is kept as {}", path.string()));
      }
    }
    std::filesystem::create_directories(folder_->checkpoints());
  });
  communicator_.Broadcast(name);
  if (name.empty()) return name;

  communicator_.BroadcastValue(replica.position);
  int64_t optimizer_steps = replica.optimizer.steps();
  communicator_.BroadcastValue(optimizer_steps);
  replica.optimizer.set_steps(optimizer_steps);
  worker::PlateauState plateau = replica.schedule.plateau();
  communicator_.BroadcastValue(plateau);
  replica.schedule.set_plateau(plateau);
  communicator_.Broadcast(replica.parameters().values());
  for (auto& slot : replica.optimizer.slots()) {
    communicator_.Broadcast({slot.values.data(), static_cast<size_t>(replica.optimizer.size())});
  }
  BroadcastAverages(replica.averaging);
  ScatterLanes(all, replica.state);
  communicator_.BroadcastValue(replica.evaluation.batch);
  if (replica.evaluation.batch > 0) {
    size_t sums = replica.evaluation.sums.size();
    communicator_.BroadcastValue(sums);
    replica.evaluation.sums.resize(sums);
    for (double& sum : replica.evaluation.sums) communicator_.BroadcastValue(sum);
    replica.evaluation.state = task_.ZeroState(replica.lanes.count());
    ScatterLanes(evaluation, replica.evaluation.state);
  }
  NoteSaved(name, replica);
  if (resume == "auto") {
    saved_ = ContentsOf(replica);
    return name;
  }
  // A new run, whose best is among what comes. It stands before the older one in the folder goes.
  replica.position.ForgetBest();
  const Contents contents = Collect(replica);
  Write(io::CheckpointFolder(anew).StepPath(replica.position.step), contents.header,
        contents.tensors);
  saved_ = ContentsOf(replica);
  communicator_.OnRoot([&] {
    BeginAnew();
    last_good_.clear();  // it has another name now
    NoteSaved(checkpoints_->StepPath(replica.position.step), replica);
  });
  return name;
}

void Checkpointer::BroadcastAverages(worker::Averaging& averaging) {
  if (!averaging.enabled()) return;
  worker::AveragingState state = averaging.state();
  communicator_.BroadcastValue(state.count);
  communicator_.BroadcastValue(state.begun);
  communicator_.BroadcastValue(state.least);
  size_t recent = state.recent.size();
  communicator_.BroadcastValue(recent);
  state.recent.resize(recent);
  for (double& loss : state.recent) communicator_.BroadcastValue(loss);
  averaging.set_state(state);
  if (averaging.active()) communicator_.Broadcast(averaging.values());
}

// Every rank has applied the same updates to the same numbers. If that ever fails (memory or
// processor at fault), no file may hide it.
void Checkpointer::RequireEqualReplicas(const Replica& replica) {
  const auto values = replica.parameters().values();
  const uint64_t own = io::ShortDigest(values.data(), values.size_bytes());
  uint64_t root = own;
  communicator_.BroadcastValue(root);
  communicator_.Together([&] {
    if (own == root) return;
    throw std::runtime_error(
        "the parameters of this rank differ from those of rank 0: its memory or processor is at "
        "fault. Start the job again "
        "without this host; the last checkpoint is good.");
  });
}

// A file that was saved by a stop while the loss was that of a diverged training is not good.
void Checkpointer::NoteSaved(const std::filesystem::path& path, const Replica& replica) {
  const int64_t bad = replica.position.bad_steps;
  last_saved_ = path;
  if (bad == 0) {
    last_good_ = path;
  } else if (last_good_.empty() && checkpoints_) {
    try {
      last_good_ = checkpoints_->StepFileUpTo(replica.position.step - bad);
    } catch (const std::exception&) {  // only a message would name it
    }
  }
}

std::string Checkpointer::DescribeLastGood() const {
  if (last_saved_.empty()) return "There is no checkpoint yet.";
  if (last_good_.empty()) return "There is no good checkpoint.";
  return fmt::format("The last good checkpoint is {}{}.", last_good_.string(),
                     last_good_ == last_saved_ ? "" : ": begin there with --resume and this file");
}

Checkpointer::Saved Checkpointer::ContentsOf(const Replica& replica) {
  return {replica.position.step, replica.position.evaluated_step, replica.evaluation.batch};
}

// All lanes' state on rank 0, empty elsewhere.
worker::RecurrentState Checkpointer::GatherLanes(const worker::RecurrentState& state) {
  worker::RecurrentState all;
  if (folder_) all = task_.ZeroState(config_.data().lanes());
  const auto whole = all.parts();
  const auto mine = state.parts();
  for (size_t i = 0; i < mine.size(); ++i) {
    const std::vector<float> parts = communicator_.Gather(std::span<const float>(mine[i].values));
    if (!folder_) continue;
    whole[i].values = JoinLanes(parts, all.layers, all.lanes, communicator_.size());
  }
  return all;
}

// The reverse: `all` is rank 0's.
void Checkpointer::ScatterLanes(const worker::RecurrentState& all, worker::RecurrentState& state) {
  const auto whole = all.parts();
  const auto mine = state.parts();
  for (size_t i = 0; i < mine.size(); ++i) {
    communicator_.Scatter(
        [&](int rank) {
          return SliceLanes(whole[i].values, all.layers, all.lanes,
                            LanesOfRank(all.lanes, rank, communicator_.size()));
        },
        mine[i].values);
  }
}

void Checkpointer::RequireFinite(const Replica& replica) const {
  if (std::isfinite(worker::GlobalNorm(replica.parameters().values()))) return;
  throw AgreedError(
      fmt::format("training diverged: the parameters are not finite after step {}; they are not "
                  "saved. {} Lower optimizer.learning_rate or optimizer.clip.global_norm, and "
                  "start again.",
                  replica.position.step, DescribeLastGood()),
      kDiverged);
}

Checkpointer::Contents Checkpointer::Collect(const Replica& replica) {
  RequireEqualReplicas(replica);
  RequireFinite(replica);
  Contents contents;
  contents.state = GatherLanes(replica.state);
  if (replica.evaluation.batch > 0) contents.evaluation = GatherLanes(replica.evaluation.state);
  if (!folder_) return contents;
  contents.header.configuration = proto::PrintRunConfig(config_);
  contents.header.dataset_fingerprint = task_.fingerprint();
  task_.Store(contents.header);
  StorePosition(replica, contents.header);
  contents.tensors = ViewTensors(replica, contents.state, contents.evaluation);
  return contents;
}

// Rank 0 acts. WriteFailure where neither the user nor the training is at fault.
void Checkpointer::OnRootWrite(const std::function<void()>& action) {
  try {
    communicator_.OnRoot(action);
  } catch (const AgreedError& error) {
    if (error.status() != kFailed) throw;
    throw WriteFailure(error.what(), kFailed);
  }
}

void Checkpointer::Write(const std::filesystem::path& path, const io::CheckpointHeader& header,
                         const std::vector<io::TensorView>& tensors) {
  OnRootWrite([&] {
    try {
      if (metrics_) metrics_->Sync();
      io::WriteCheckpoint(path, header, tensors);
    } catch (const std::exception& error) {
      throw AgreedError(
          fmt::format("{} (step {}). {}", error.what(), header.step, DescribeLastGood()),
          StatusOf(error));
    }
  });
  saved_at_ = std::chrono::steady_clock::now();
  retry_.Succeeded();
}

// The file of best.h5 under the step's name, too, where best.h5 holds what that name should.
bool Checkpointer::LinkStepToBest(const Replica& replica) {
  bool linked = false;
  OnRootWrite([&] {
    if (metrics_) metrics_->Sync();
    linked = checkpoints_->LinkStepToBest(best_.step);
  });
  communicator_.BroadcastValue(linked);
  if (!linked) return false;
  saved_ = best_;
  if (checkpoints_) NoteSaved(checkpoints_->StepPath(best_.step), replica);
  return true;
}

// A step's file may name a best that is not there yet, so that comes first.
void Checkpointer::StoreStep(const Replica& replica) {
  if (waiting_.step >= 0) StoreWaitingBest();
  const int64_t step = replica.position.step;
  const Saved now = ContentsOf(replica);
  if (saved_ == now) {
    return OnRootWrite([&] {
      if (metrics_) metrics_->Sync();
    });
  }
  std::filesystem::path path;
  if (checkpoints_) path = checkpoints_->StepPath(step);
  if (best_ != now || !LinkStepToBest(replica)) {
    const Contents contents = Collect(replica);
    Write(path, contents.header, contents.tensors);
  }
  saved_ = now;
  if (!checkpoints_) return;
  NoteSaved(path, replica);
  // What a diverging training has come to takes no good checkpoint's place.
  if (replica.position.bad_steps == 0) Prune(step);
}

// Rank 0 alone acts, and the checkpoint stands: no trouble here may end the training.
void Checkpointer::Prune(int64_t step) {
  try {
    for (const std::string& trouble : checkpoints_->Prune(config_.checkpoint().keep(), step)) {
      console_.Warn(trouble);
    }
  } catch (const std::exception& error) {
    console_.Warn(fmt::format("older checkpoints are not removed now: {}", error.what()));
  }
}

void Checkpointer::StoreWaitingBest() {
  std::vector<io::TensorView> tensors;
  if (waiting_best_) {
    for (const Copy::Tensor& tensor : waiting_best_->tensors) {
      tensors.push_back({tensor.name, tensor.shape, tensor.values});
    }
  }
  Write(checkpoints_ ? checkpoints_->BestPath() : "",
        waiting_best_ ? waiting_best_->header : io::CheckpointHeader(), tensors);
  best_ = waiting_;
  waiting_ = {};
  waiting_best_.reset();
}

void Checkpointer::SaveStep(const Replica& replica) {
  // All ranks wait, so that none waits for another.
  for (const auto pause : {std::chrono::seconds(1), std::chrono::seconds(2)}) {
    try {
      return StoreStep(replica);
    } catch (const WriteFailure& failure) {
      console_.Warn(fmt::format("{} It is tried again at once.", failure.what()));
    }
    std::this_thread::sleep_for(pause);
  }
  StoreStep(replica);
}

void Checkpointer::TrySaveStep(const Replica& replica) {
  try {
    StoreStep(replica);
  } catch (const WriteFailure& failure) {
    Postpone(failure);
  }
}

void Checkpointer::TrySaveBest(const Replica& replica) {
  const Contents contents = Collect(replica);
  waiting_ = {};  // a better one takes its place
  waiting_best_.reset();
  try {
    Write(checkpoints_ ? checkpoints_->BestPath() : "", contents.header, contents.tensors);
    best_ = ContentsOf(replica);
    if (checkpoints_) NoteSaved(checkpoints_->BestPath(), replica);
    if (saved_.step == best_.step) LinkStepToBest(replica);
  } catch (const WriteFailure& failure) {
    if (best_ != ContentsOf(replica)) {
      bool kept = KeepBest(contents);
      communicator_.BroadcastValue(kept);
      if (kept) waiting_ = ContentsOf(replica);
    }
    Postpone(failure);
  }
}

// Rank 0: into waiting_best_. False where there is no memory for it.
bool Checkpointer::KeepBest(const Contents& contents) {
  if (!folder_) return true;
  try {
    waiting_best_.emplace(Copy{contents.header, {}});
    for (const io::TensorView& view : contents.tensors) {
      waiting_best_->tensors.push_back(
          {view.name, view.shape, {view.values.begin(), view.values.end()}});
    }
    return true;
  } catch (const std::bad_alloc&) {
    waiting_best_.reset();
    console_.Warn("there is no memory to keep this best checkpoint until it can be written");
    return false;
  }
}

// Rank 0's clock decides for all when it is over.
void Checkpointer::Postpone(const std::exception& failure) {
  retry_.Failed(std::chrono::steady_clock::now());
  bool over = retry_.IsOver();
  communicator_.BroadcastValue(over);
  if (over) {
    throw AgreedError(fmt::format("{} It has failed for an hour.", failure.what()), kFailed);
  }
  console_.Warn(fmt::format("{} The training goes on; it is tried again in {} min.", failure.what(),
                            retry_.Wait().count()));
}

bool Checkpointer::Due() const {
  if (!folder_) return false;
  const auto now = std::chrono::steady_clock::now();
  if (retry_.pending()) return retry_.Due(now);
  const double minutes = config_.checkpoint().every_minutes();
  return minutes > 0.0 && now - saved_at_ >= std::chrono::duration<double>(60.0 * minutes);
}

}  // namespace lockstep::trainer
