#ifndef LOCKSTEP_TRAINER_RUN_CHECKPOINTER_H_
#define LOCKSTEP_TRAINER_RUN_CHECKPOINTER_H_

#include <chrono>
#include <exception>
#include <filesystem>
#include <functional>
#include <optional>
#include <span>
#include <string>
#include <vector>

#include "io/checkpoints/checkpoint.h"
#include "io/checkpoints/checkpoint_folder.h"
#include "io/run/metrics_log.h"
#include "io/run/run_folder.h"
#include "proto/agreement.h"
#include "proto/run_config.h"
#include "trainer/ranks/communicator.h"
#include "trainer/run/checkpoint_writer.h"
#include "trainer/run/replica.h"
#include "trainer/run/save_retry.h"
#include "trainer/terminal/console.h"

namespace lockstep::trainer {

/// Saves a run's replicas and brings them back. Rank 0 reads and writes, the others send and
/// receive: only rank 0's host needs the run folder.
class Checkpointer {
 public:
  /// `folder` is nullptr on ranks other than 0. All arguments must outlive this.
  Checkpointer(Communicator& communicator, Console& console, const io::RunFolder* folder,
               const proto::RunConfig& config, const Task& task);

  /// Collective. Brings `replica` to where a checkpoint stands. `resume` is "auto" (the newest
  /// whole checkpoint of the run folder, if it holds any; newer ones that had to be passed over get
  /// another name), "never" or a file (what the folder holds gets another name, once a checkpoint
  /// of the new run stands).
  /// Returns the file that was loaded, "" for a new start. AgreedError: damaged files only, another
  /// model, another dataset.
  std::string Restore(const std::string& resume, Replica& replica);

  /// From now on these lines are made durable before each save. `metrics` is nullptr on ranks other
  /// than 0 and must outlive this.
  void SyncBeforeSaves(io::MetricsLog* metrics) {
    if (writer_) writer_->SyncBeforeSaves(metrics);
  }

  /// Collective. Saves under the step's name, at the end of a training or where it stops, and
  /// returns when that stands; saves nothing twice: what best.h5 holds already gets a second name
  /// where the file system allows it. Prunes to checkpoint.keep. Where the system fails (full disk,
  /// I/O error) it tries again a few times within seconds, then AgreedError.
  void SaveStep(const Replica& replica);

  /// What TrySave gives names to.
  enum class What {
    kStep,
    kBest,         ///< as best.h5; a step's file from before the evaluation becomes a name of it
    kBestAndStep,  ///< one file of two names, where the file system allows it
  };
  /// Collective. Starts a save in the middle of a training, which goes on while rank 0 writes from
  /// a copy (CheckpointWriter); waits for the one before. A failure of the system does not end the
  /// training: it is told, and the save becomes due again (as SaveRetry says). A best checkpoint
  /// that cannot be written is kept in memory until a later save, which writes it first.
  /// AgreedError when SaveRetry gives up.
  void TrySave(const Replica& replica, What what);
  /// Rank 0: whether a save under way has ended. False elsewhere.
  bool HasEnded() const { return writer_ && under_way_ && writer_->has_ended(); }
  /// Collective. Waits for the save under way, if there is any, and takes note of it as TrySave
  /// does: false where the system has failed.
  bool TryEndSave();

  /// The last file that this object saved or loaded; empty when there is none.
  const std::filesystem::path& last_saved() const { return last_saved_; }
  /// For an error message: names the last file from before a training began to diverge.
  std::string DescribeLastGood() const;

  /// Rank 0: whether a save is due by time: after one that failed, as SaveRetry says, else when the
  /// last one, or the start, is checkpoint.every_minutes ago. False elsewhere.
  bool Due() const;
  /// When the last save began, or this object was made.
  std::chrono::steady_clock::time_point saved_at() const { return saved_at_; }
  /// Whether the last save failed, on every rank: then Due alone says when to save.
  bool retrying() const { return retry_.pending(); }

 private:
  // What a file holds. The evaluation of a step changes the second, and the third while it is under
  // way.
  struct Saved {
    int64_t step = -1;
    int64_t evaluated_step = -1;
    int64_t evaluation_batch = 0;
    bool operator==(const Saved&) const = default;
  };
  static Saved ContentsOf(const Replica& replica);
  /// A save under way: the same on every rank.
  struct Save {
    Saved contents;
    int64_t bad_steps = 0;
    bool step = false;
    bool best = false;
  };
  /// The optimizer's slots of all parameters, on rank 0: its own, or put together of all ranks'
  /// parts.
  struct WholeSlots {
    std::vector<std::vector<float>> collected;  // where ranks have parts
    std::vector<std::span<float>> views;
  };
  bool HasPart(const Replica& replica) const;
  std::vector<worker::ParameterRange> SharesOf(int64_t size, int rank) const;
  std::vector<float> CollectSlot(const Replica& replica, size_t slot);
  void ShareSlots(const WholeSlots& whole, worker::Optimizer& optimizer);
  std::string Load(const std::string& resume, Replica& replica, WholeSlots& slots,
                   worker::RecurrentState& state, worker::RecurrentState& evaluation);
  void BeginAnew();
  void WarnOfOtherPart(const io::CheckpointHeader& header, const Position& position) const;
  proto::RunConfig RequireSameTraining(const io::CheckpointReader& checkpoint) const;
  // What is written, on rank 0; empty elsewhere. It borrows the parameters from the replica.
  struct Contents {
    io::CheckpointHeader header;
    std::vector<std::vector<float>> slots;     // where ranks have parts of the optimizer
    worker::RecurrentState state, evaluation;  // of all lanes
    std::vector<io::TensorView> tensors;
  };
  void RequireFinite(const Replica& replica) const;
  Contents Collect(const Replica& replica);
  void OnRootWrite(int64_t step, const std::function<void()>& action);
  void Begin(const Replica& replica, Save save, CheckpointWriter::Mode mode);
  void EndSave();
  void StoreStep(const Replica& replica);
  void Postpone(const std::exception& failure);
  void NoteSaved(const std::filesystem::path& path, int64_t step, int64_t bad_steps);
  worker::RecurrentState GatherLanes(const worker::RecurrentState& state);
  void ScatterLanes(const worker::RecurrentState& all, worker::RecurrentState& state);
  void BroadcastAverages(worker::Averaging& averaging);
  void RequireEqualReplicas(const Replica& replica);

  Communicator& communicator_;
  Console& console_;
  const io::RunFolder* const folder_;
  std::optional<io::CheckpointFolder> checkpoints_;  // of folder_
  const proto::RunConfig& config_;
  const Task& task_;
  Saved saved_;      // the newest step's file
  Saved best_;       // best.h5, where this object wrote it
  Saved waiting_;    // the best one that could not be written yet; step -1: there is none
  SaveRetry retry_;  // its times are those of rank 0
  std::filesystem::path last_saved_, last_good_;
  std::chrono::steady_clock::time_point saved_at_ = std::chrono::steady_clock::now();
  std::optional<Save> under_way_;
  std::optional<CheckpointWriter> writer_;  // rank 0; the last member: its destructor may wait
};

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_RUN_CHECKPOINTER_H_
