#include "trainer/run/checkpointer.h"

#include <algorithm>
#include <cmath>
#include <thread>
#include <utility>

#include <fmt/format.h>

#include "io/files/digest.h"
#include "trainer/exit_status.h"
#include "trainer/ranks/gradient_sum.h"
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
  if (!folder_) return;
  checkpoints_.emplace(folder_->checkpoints());
  writer_.emplace(*checkpoints_, config_.checkpoint().keep());
}

// Rank 0: reads what is gone on from into `replica`, `slots`, `state` and, where an evaluation is
// under way, `evaluation`, those of all lanes; returns its path, empty for a new start.
std::string Checkpointer::Load(const std::string& resume, Replica& replica, WholeSlots& slots,
                               worker::RecurrentState& state, worker::RecurrentState& evaluation) {
  // Without a lock they may be another run's work.
  if (folder_->locked()) checkpoints_->RemoveLeftovers();
  if (resume == "never") return "";
  const auto load = [&](const io::CheckpointReader& checkpoint) {
    const proto::RunConfig then = RequireSameTraining(checkpoint);
    LoadPosition(checkpoint.header(), checkpoint.path().string(), replica);
    LoadTrainedParameters(checkpoint, replica.parameters());
    if (HasPart(replica)) {
      slots.collected.assign(replica.optimizer.slots().size(),
                             std::vector<float>(replica.parameters().size()));
      slots.views = {slots.collected.begin(), slots.collected.end()};
    } else {
      slots.views = MutableSlots(replica.optimizer);
    }
    LoadOptimizer(checkpoint, slots.views, replica);
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
  WholeSlots slots;
  std::filesystem::path anew;  // where the first checkpoint of a new run goes
  communicator_.OnRoot([&] {
    name = Load(resume, replica, slots, all, evaluation);
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
  if (HasPart(replica)) {
    ShareSlots(slots, replica.optimizer);
  } else {
    for (const std::span<float> slot : MutableSlots(replica.optimizer))
      communicator_.Broadcast(slot);
  }
  slots = {};
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
  NoteSaved(name, replica.position.step, replica.position.bad_steps);
  if (resume == "auto") {
    saved_ = ContentsOf(replica);
    return name;
  }
  // A new run, whose best is among what comes. It stands before the older one in the folder goes.
  replica.position.ForgetBest();
  const Contents contents = Collect(replica);
  const int64_t step = replica.position.step;
  OnRootWrite(step, [&] {
    io::WriteCheckpoint(io::CheckpointFolder(anew).StepPath(step), contents.header,
                        contents.tensors);
  });
  saved_ = ContentsOf(replica);
  communicator_.OnRoot([&] {
    BeginAnew();
    last_good_.clear();  // it has another name now
    NoteSaved(checkpoints_->StepPath(step), step, replica.position.bad_steps);
  });
  return name;
}

bool Checkpointer::HasPart(const Replica& replica) const {
  return communicator_.size() > 1 && replica.shards_optimizer;
}

std::vector<worker::ParameterRange> Checkpointer::SharesOf(int64_t size, int rank) const {
  return GradientSum::SharesOf(size, rank, communicator_.host_sizes(), communicator_.size());
}

// Rank 0: a slot of all parameters; empty elsewhere.
std::vector<float> Checkpointer::CollectSlot(const Replica& replica, size_t slot) {
  const std::vector<float> parts = communicator_.Gather(ViewSlots(replica.optimizer)[slot]);
  if (!folder_) return {};
  const int64_t size = replica.parameters().size();
  std::vector<float> whole(static_cast<size_t>(size));
  auto from = parts.begin();
  for (int rank = 0; rank < communicator_.size(); ++rank) {
    for (const auto& range : SharesOf(size, rank)) {
      std::copy_n(from, range.size(), whole.begin() + range.begin);
      from += range.size();
    }
  }
  return whole;
}

// The reverse: `whole` is rank 0's.
void Checkpointer::ShareSlots(const WholeSlots& whole, worker::Optimizer& optimizer) {
  const std::vector<std::span<float>> mine = MutableSlots(optimizer);
  for (size_t slot = 0; slot < mine.size(); ++slot) {
    const auto part_of = [&](int rank) {
      const std::span<float> all = whole.views[slot];
      std::vector<float> part;
      for (const auto& range : SharesOf(std::ssize(all), rank)) {
        part.insert(part.end(), all.begin() + range.begin, all.begin() + range.end);
      }
      return part;
    };
    communicator_.Scatter(part_of, mine[slot]);
  }
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
void Checkpointer::NoteSaved(const std::filesystem::path& path, int64_t step, int64_t bad_steps) {
  last_saved_ = path;
  if (bad_steps == 0) {
    last_good_ = path;
  } else if (last_good_.empty() && checkpoints_) {
    try {
      last_good_ = checkpoints_->StepFileUpTo(step - bad_steps);
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
  const bool has_part = HasPart(replica);
  for (size_t slot = 0; has_part && slot < replica.optimizer.slots().size(); ++slot) {
    contents.slots.push_back(CollectSlot(replica, slot));
  }
  if (!folder_) return contents;
  contents.header.configuration = proto::PrintRunConfig(config_);
  contents.header.dataset_fingerprint = task_.fingerprint();
  task_.Store(contents.header);
  StorePosition(replica, contents.header);
  const auto slots =
      has_part ? std::vector<std::span<const float>>(contents.slots.begin(), contents.slots.end())
               : ViewSlots(replica.optimizer);
  contents.tensors = ViewTensors(replica, slots, contents.state, contents.evaluation);
  return contents;
}

// Rank 0 writes what the replicas are after this step. WriteFailure where neither the user nor the
// training is at fault.
void Checkpointer::OnRootWrite(int64_t step, const std::function<void()>& action) {
  try {
    communicator_.OnRoot([&] {
      try {
        action();
      } catch (const std::exception& error) {
        throw AgreedError(fmt::format("{} (step {}). {}", error.what(), step, DescribeLastGood()),
                          StatusOf(error));
      }
    });
  } catch (const AgreedError& error) {
    if (error.status() != kFailed) throw;
    throw WriteFailure(error.what(), kFailed);
  }
}

// There must be no save under way.
void Checkpointer::Begin(const Replica& replica, Save save, CheckpointWriter::Mode mode) {
  const Contents contents = Collect(replica);
  under_way_ = save;
  saved_at_ = std::chrono::steady_clock::now();
  if (!writer_) return;
  const CheckpointWriter::Names names = {
      .step = save.step,
      .best = save.best,
      .best_holds_it = best_ == save.contents,
      // What a diverging training has come to takes no good checkpoint's place.
      .prunes = save.bad_steps == 0};
  writer_->Begin(names, contents.header, contents.tensors, mode);
}

// Waits for the save under way and takes note of what it has written. WriteFailure.
void Checkpointer::EndSave() {
  if (!under_way_) return;
  const Save save = *under_way_;
  under_way_.reset();
  const int64_t step = save.contents.step;
  std::optional<WriteFailure> failure;
  try {
    OnRootWrite(step, [&] { writer_->Wait(); });
  } catch (const WriteFailure& thrown) {
    failure = thrown;
  }
  CheckpointWriter::Written written;
  if (writer_) {
    written = writer_->written();
    for (const std::string& warning : writer_->warnings()) console_.Warn(warning);
  }
  communicator_.BroadcastValue(written);
  if (written.kept) best_ = std::exchange(waiting_, {});
  if (save.best) waiting_ = written.keeps ? save.contents : Saved();
  if (written.best) {
    best_ = save.contents;
    if (checkpoints_) NoteSaved(checkpoints_->BestPath(), step, save.bad_steps);
  }
  if (written.step) {
    saved_ = save.contents;
    if (checkpoints_) NoteSaved(checkpoints_->StepPath(step), step, save.bad_steps);
  }
  if (failure) throw WriteFailure(*failure);
  retry_.Succeeded();
}

void Checkpointer::StoreStep(const Replica& replica) {
  EndSave();
  const Saved now = ContentsOf(replica);
  // What waits is written by any save.
  Begin(replica, {now, replica.position.bad_steps, saved_ != now, false},
        CheckpointWriter::Mode::kAtOnce);
  EndSave();
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

void Checkpointer::TrySave(const Replica& replica, What what) {
  // What has just failed is tried again later.
  if (!TryEndSave() && what == What::kStep) return;
  Save save = {ContentsOf(replica), replica.position.bad_steps};
  save.best = what != What::kStep;
  save.step = what != What::kBest || saved_.step == save.contents.step;
  if (what == What::kStep && saved_ == save.contents) return;
  // The training reads its dataset meanwhile.
  Begin(replica, save,
        io::FilesMayShareThreads() ? CheckpointWriter::Mode::kBackground
                                   : CheckpointWriter::Mode::kAtOnce);
}

bool Checkpointer::TryEndSave() {
  try {
    EndSave();
    return true;
  } catch (const WriteFailure& failure) {
    Postpone(failure);
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
  if (!folder_ || (under_way_ && !HasEnded())) return false;
  const auto now = std::chrono::steady_clock::now();
  if (retry_.pending()) return retry_.Due(now);
  const double minutes = config_.checkpoint().every_minutes();
  return minutes > 0.0 && now - saved_at_ >= std::chrono::duration<double>(60.0 * minutes);
}

}  // namespace lockstep::trainer
