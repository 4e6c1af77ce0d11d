#include "trainer/checkpointer.h"

#include <algorithm>
#include <array>
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

// A new start in a folder that holds an older run: nothing of that is lost, it gets another name.
void Checkpointer::SetAside() {
  // The checkpoints go last: while they stand, a start that was cut short here is done again.
  const std::array<std::filesystem::path, 3> paths = {folder_->metrics(), folder_->configuration(),
                                                      folder_->checkpoints()};
  const auto aside = [](const std::filesystem::path& path, int number) {
    return fmt::format("{}.{}", path.string(), number);
  };
  int number = 1;
  while (std::ranges::any_of(
      paths, [&](const auto& path) { return std::filesystem::exists(aside(path, number)); })) {
    ++number;
  }
  for (const auto& path : paths) {
    if (!std::filesystem::exists(path)) continue;
    std::filesystem::rename(path, aside(path, number));
    console_.Info(
        fmt::format("{} of an earlier run is now {}", path.string(), aside(path, number)));
  }
}

std::optional<Checkpointer::Source> Checkpointer::Choose(const std::string& resume) {
  // Without a lock they may be another run's work.
  if (folder_->locked()) checkpoints_->RemoveLeftovers();
  if (resume == "never") return std::nullopt;
  if (resume != "auto") {
    Source source{resume, io::ReadCheckpoint(resume)};
    Check(source);
    return source;
  }
  std::vector<std::string> passed_over;
  auto found = checkpoints_->LoadNewest(&passed_over);
  for (const std::string& file : passed_over) console_.Warn("passed over " + file);
  if (found) {
    Source source{found->path, std::move(found->checkpoint)};
    Check(source);
    return source;
  }
  if (!passed_over.empty()) {
    throw UsageError(
        fmt::format("{}: holds checkpoints, but none is whole. Bring one back from a copy, or "
                    "start anew with --resume never (they are kept "
                    "under another name).",
                    folder_->checkpoints().string()));
  }
  return std::nullopt;
}

// After all that can be wrong with the start: what it does not go on from gets another name.
void Checkpointer::MakeRoom(const std::string& resume, const std::optional<Source>& source) {
  if (resume != "auto") {
    if (checkpoints_->HasAny() || std::filesystem::exists(folder_->metrics())) SetAside();
  } else if (source) {
    for (const auto& path : checkpoints_->SetAsideBeyond(source->checkpoint.header.step)) {
      console_.Warn(fmt::format("what was passed over is kept as {}", path.string()));
    }
  }
  std::filesystem::create_directories(folder_->checkpoints());
}

void Checkpointer::Check(const Source& source) const {
  const io::CheckpointHeader& header = source.checkpoint.header;
  const std::string name = source.path.string();
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
  communicator_.OnRoot([&] {
    const auto source = Choose(resume);
    if (source) {
      name = source->path.string();
      LoadPosition(source->checkpoint.header, name, replica);
      LoadParameters(source->checkpoint, name, replica.model.parameters());
      LoadOptimizer(source->checkpoint, name, replica);
      all = LoadState(source->checkpoint, name, replica.model, lanes);
    }
    MakeRoom(resume, source);
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
  // What the folder held is set aside: from now on it holds this. The best is among what comes.
  replica.position.best_step = 0;
  replica.position.best_loss = std::numeric_limits<double>::infinity();
  replica.position.evaluations_without_improvement = 0;
  SaveStep(replica);
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
