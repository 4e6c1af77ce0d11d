#ifndef LOCKSTEP_TRAINER_RUN_CHECKPOINT_WRITER_H_
#define LOCKSTEP_TRAINER_RUN_CHECKPOINT_WRITER_H_

#include <cstdint>
#include <future>
#include <string>
#include <vector>

#include "io/checkpoints/checkpoint.h"
#include "io/checkpoints/checkpoint_folder.h"
#include "io/run/metrics_log.h"

namespace lockstep::trainer {

/// Writes a run's checkpoints on rank 0: one save at a time, on a thread of its own from a copy of
/// what is saved, so that the training goes on meanwhile. Only Begin copies, into memory that it
/// keeps. A best checkpoint that could not be written is kept until a later save, which writes it
/// first. Not collective; one thread calls.
class CheckpointWriter {
 public:
  /// Keeps the newest `keep` step checkpoints. `folder` must outlive this, and nobody else may use
  /// it while a save is under way.
  CheckpointWriter(io::CheckpointFolder& folder, int keep);
  /// Waits for the save under way.
  ~CheckpointWriter() = default;
  CheckpointWriter(const CheckpointWriter&) = delete;
  CheckpointWriter& operator=(const CheckpointWriter&) = delete;

  /// Its lines are made durable before each save. Must outlive this.
  void SyncBeforeSaves(io::MetricsLog* metrics) { metrics_ = metrics; }

  /// The names that a save gives to what it writes. With none it writes what is kept alone.
  struct Names {
    bool step = false;
    bool best = false;
    bool best_holds_it = false;  ///< best.h5 is this already, and the step's name may be linked
    bool prunes = false;         ///< older step checkpoints go behind it
  };
  enum class Mode {
    kBackground,  ///< from a copy; where there is no memory or no thread for it, as kAtOnce
    kAtOnce,      ///< before Begin returns
  };
  /// Starts a save. There must be none under way. What it throws, Wait throws.
  void Begin(const Names& names, io::CheckpointHeader header,
             const std::vector<io::TensorView>& tensors, Mode mode);

  /// Whether the save under way, if any, has ended, so that Wait will not wait.
  bool has_ended() const;

  /// How far a save has come. Trivially copyable.
  struct Written {
    bool kept = false;  ///< the best checkpoint that a former save had left
    bool best = false;
    bool step = false;
    bool keeps = false;  ///< the best checkpoint could not be written, and is kept
  };
  /// Ends the save under way and throws what it has thrown (io's errors). Then, or where it throws,
  /// `written` and `warnings` tell of it.
  void Wait();
  const Written& written() const { return written_; }
  /// For a person: of pruning, which ends no training, and of memory.
  const std::vector<std::string>& warnings() const { return warnings_; }

 private:
  /// A checkpoint of its own, which training does not change.
  struct Copy {
    struct Tensor {
      std::string name;
      std::vector<uint64_t> shape;
      std::vector<float> values;
    };
    io::CheckpointHeader header;
    std::vector<Tensor> tensors;

    void Take(const std::vector<io::TensorView>& views);
    std::vector<io::TensorView> Views() const;
  };
  void Write();
  void WriteFiles();
  void Prune();
  void KeepBest();

  io::CheckpointFolder& folder_;
  const int keep_;
  io::MetricsLog* metrics_ = nullptr;

  // Of the save under way, which belong to its thread until it has ended.
  Names names_;
  Copy copy_;  // its header, and of kBackground its tensors
  std::vector<io::TensorView> tensors_;
  Written written_;
  std::vector<std::string> warnings_;

  Copy kept_best_;
  bool keeps_best_ = false;
  std::future<void> save_;  // the last member: its destructor waits
};

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_RUN_CHECKPOINT_WRITER_H_
