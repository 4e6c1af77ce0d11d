#ifndef LOCKSTEP_TRAINER_CHECKPOINTER_H_
#define LOCKSTEP_TRAINER_CHECKPOINTER_H_

#include <chrono>
#include <filesystem>
#include <optional>
#include <string>

#include "io/checkpoint.h"
#include "io/checkpoint_folder.h"
#include "io/dataset.h"
#include "io/run_folder.h"
#include "proto/run_config.h"
#include "trainer/communicator.h"
#include "trainer/console.h"
#include "trainer/replica.h"

namespace lockstep::trainer {

/// Saves a run's replicas and brings them back. Rank 0 reads and writes, the others send and
/// receive: only rank 0's host needs the run folder.
class Checkpointer {
 public:
  /// `folder` is nullptr on ranks other than 0. All arguments must outlive this.
  Checkpointer(Communicator& communicator, Console& console, const io::RunFolder* folder,
               const proto::RunConfig& config, const io::Dataset& dataset);

  /// Collective. Brings `replica` to where a checkpoint stands. `resume` is "auto" (the newest
  /// whole checkpoint of the run folder, if it holds any; newer ones that had to be passed over get
  /// another name), "never" or a file (what the folder holds gets another name, once a checkpoint
  /// of the new run stands).
  /// Returns the file that was loaded, "" for a new start. AgreedError: damaged files only, another
  /// model, another dataset.
  std::string Restore(const std::string& resume, Replica& replica);

  /// Collective. Saves under the step's name, or as the best; saves nothing twice. Prunes to
  /// checkpoint.keep.
  void SaveStep(const Replica& replica);
  void SaveBest(const Replica& replica);

  /// The last file that this object saved or loaded; empty when there is none.
  const std::filesystem::path& last_good() const { return last_good_; }
  /// A sentence that names it for an error message.
  std::string DescribeLastGood() const;

  /// Rank 0: seconds since the last save or the start. 0 elsewhere.
  double SecondsSinceSave() const;

 private:
  // What the newest file holds. An evaluation that was put off by a stop changes the second alone.
  struct Saved {
    int64_t step = -1;
    int64_t evaluated_step = -1;
    bool operator==(const Saved&) const = default;
  };
  std::string Load(const std::string& resume, Replica& replica, worker::RecurrentState& state);
  void BeginAnew();
  void Check(const io::CheckpointReader& checkpoint) const;
  void Save(const std::filesystem::path& path, const Replica& replica);
  void RequireEqualReplicas(const Replica& replica);

  Communicator& communicator_;
  Console& console_;
  const io::RunFolder* const folder_;
  std::optional<io::CheckpointFolder> checkpoints_;  // of folder_
  const proto::RunConfig& config_;
  const io::Dataset& dataset_;
  Saved saved_;
  std::filesystem::path last_good_;
  std::chrono::steady_clock::time_point saved_at_ = std::chrono::steady_clock::now();
};

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_CHECKPOINTER_H_
