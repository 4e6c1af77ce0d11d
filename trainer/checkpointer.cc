#include "trainer/checkpointer.h"

#include <cmath>
#include <limits>

#include <fmt/format.h>

#include "io/digest.h"
#include "trainer/checkpoint_contents.h"
#include "trainer/exit_status.h"
#include "trainer/resume_check.h"
#include "worker/clip.h"

namespace lockstep::trainer {

Checkpointer::Checkpointer(Communicator& communicator, Console& console,
                           const io::RunFolder* folder, const proto::RunConfig& config,
                           const io::Dataset& dataset)
    : communicator_(communicator),
      console_(console),
      folder_(folder),
      config_(config),
      dataset_(dataset) {
  if (folder_) checkpoints_.emplace(folder_->checkpoints());
}

// Rank 0: reads what is gone on from into `replica` and `state`, that of all lanes; returns its
// path, empty for a new start.
std::string Checkpointer::Load(const std::string& resume, Replica& replica,
                               worker::RecurrentState& state) {
  // Without a lock they may be another run's work.
  if (folder_->locked()) checkpoints_->RemoveLeftovers();
  if (resume == "never") return "";
  const auto load = [&](const io::CheckpointReader& checkpoint) {
    Check(checkpoint);
    LoadPosition(checkpoint.header(), checkpoint.path().string(), replica);
    LoadParameters(checkpoint, replica.model.parameters());
    LoadOptimizer(checkpoint, replica);
    state = LoadState(checkpoint, replica.model, config_.data().lanes());
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

// Rank 0, after all that can be wrong with the start: what it does not go on from gets another
// name.
void Checkpointer::BeginAnew() {
  for (const auto& [from, to] : folder_->BeginAnew()) {
    console_.Info(fmt::format("{} of an earlier run is now {}", from.string(), to.string()));
  }
}

void Checkpointer::Check(const io::CheckpointReader& checkpoint) const {
  const io::CheckpointHeader& header = checkpoint.header();
  const std::string name = checkpoint.path().string();
  CheckSameTraining(proto::ParseRunConfig(header.configuration, name), config_, name);
  if (header.dataset_fingerprint != dataset_.fingerprint()) {
    throw UsageError(fmt::format(
        "{}: was trained on a dataset with fingerprint {}, but {} has {}: the data have changed. "
        "Bring back the old dataset, or train anew in "
        "another training.folder (or with --resume never).",
        name, header.dataset_fingerprint, dataset_.path().string(), dataset_.fingerprint()));
  }
}

std::string Checkpointer::Restore(const std::string& resume, Replica& replica) {
  std::string name;
  worker::RecurrentState all;
  const int layers = replica.model.options().layers;
  const int64_t lanes = config_.data().lanes();
  std::filesystem::path anew;  // where the first checkpoint of a new run goes
  communicator_.OnRoot([&] {
    name = Load(resume, replica, all);
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
  communicator_.Broadcast(replica.model.parameters().values());
  for (auto& slot : replica.optimizer.slots()) {
    communicator_.Broadcast({slot.values.data(), static_cast<size_t>(replica.optimizer.size())});
  }
  const auto scatter = [&](const std::vector<float>& whole, std::vector<float>& mine) {
    communicator_.Scatter(
        [&](int rank) {
          return SliceLanes(whole, layers, lanes, LanesOfRank(lanes, rank, communicator_.size()));
        },
        mine);
  };
  scatter(all.h, replica.state.h);
  scatter(all.c, replica.state.c);
  last_good_ = name;
  if (resume == "auto") {
    saved_ = {replica.position.step, replica.position.evaluated_step};
    return name;
  }
  // A new run, whose best is among what comes. It stands before the older one in the folder goes.
  replica.position.best_step = 0;
  replica.position.best_loss = std::numeric_limits<double>::infinity();
  replica.position.evaluations_without_improvement = 0;
  Save(io::CheckpointFolder(anew).StepPath(replica.position.step), replica);
  saved_ = {replica.position.step, replica.position.evaluated_step};
  communicator_.OnRoot([&] {
    BeginAnew();
    last_good_ = checkpoints_->StepPath(replica.position.step);
  });
  return name;
}

// Every rank has applied the same updates to the same numbers. If that ever fails (memory or
// processor at fault), no file may hide it.
void Checkpointer::RequireEqualReplicas(const Replica& replica) {
  const auto values = replica.model.parameters().values();
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

std::string Checkpointer::DescribeLastGood() const {
  return last_good_.empty() ? "There is no checkpoint yet."
                            : fmt::format("The last good checkpoint is {}.", last_good_.string());
}

void Checkpointer::Save(const std::filesystem::path& path, const Replica& replica) {
  RequireEqualReplicas(replica);
  if (!std::isfinite(worker::GlobalNorm(replica.model.parameters().values()))) {
    throw AgreedError(
        fmt::format("training diverged: the parameters are not finite after step {}; they are not "
                    "saved. {} Lower optimizer.learning_rate or optimizer.clip.global_norm, and "
                    "start again.",
                    replica.position.step, DescribeLastGood()),
        kDiverged);
  }
  const int layers = replica.model.options().layers;
  const int64_t lanes = config_.data().lanes();
  worker::RecurrentState all;
  all.h = JoinLanes(communicator_.Gather(std::span<const float>(replica.state.h)), layers, lanes,
                    communicator_.size());
  all.c = JoinLanes(communicator_.Gather(std::span<const float>(replica.state.c)), layers, lanes,
                    communicator_.size());
  communicator_.OnRoot([&] {
    io::CheckpointHeader header;
    header.configuration = proto::PrintRunConfig(config_);
    header.dataset_fingerprint = dataset_.fingerprint();
    header.vocabulary = dataset_.vocabulary();
    StorePosition(replica, header);
    try {
      io::WriteCheckpoint(path, header, ViewTensors(replica, all));
    } catch (const std::exception& error) {
      throw AgreedError(
          fmt::format("{} (step {}). {}", error.what(), replica.position.step, DescribeLastGood()),
          StatusOf(error));
    }
  });
  saved_at_ = std::chrono::steady_clock::now();
}

void Checkpointer::SaveStep(const Replica& replica) {
  const int64_t step = replica.position.step;
  const Saved now = {step, replica.position.evaluated_step};
  if (saved_ == now) return;
  std::filesystem::path path;
  if (checkpoints_) path = checkpoints_->StepPath(step);
  Save(path, replica);
  saved_ = now;
  if (!checkpoints_) return;
  last_good_ = path;
  for (const std::string& trouble : checkpoints_->Prune(config_.checkpoint().keep(), step)) {
    console_.Warn(trouble);
  }
}

void Checkpointer::SaveBest(const Replica& replica) {
  std::filesystem::path path;
  if (checkpoints_) path = checkpoints_->BestPath();
  Save(path, replica);
  if (checkpoints_) last_good_ = path;
}

double Checkpointer::SecondsSinceSave() const {
  if (!folder_) return 0.0;
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - saved_at_).count();
}

}  // namespace lockstep::trainer
