#ifndef LOCKSTEP_IO_CHECKPOINTS_CHECKPOINT_FOLDER_H_
#define LOCKSTEP_IO_CHECKPOINTS_CHECKPOINT_FOLDER_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <map>
#include <optional>
#include <string>
#include <vector>

#include "io/checkpoints/checkpoint.h"

namespace lockstep::io {

/// The folder of a run's checkpoints: step-000000000500.h5 and so on, and best.h5. Only the run
/// that holds the run folder's lock may call what removes files.
class CheckpointFolder {
 public:
  /// Does not create anything.
  explicit CheckpointFolder(std::filesystem::path folder);

  std::filesystem::path StepPath(int64_t step) const;
  std::filesystem::path BestPath() const;

  /// Gives `load` the newest checkpoint that is whole and returns its path: from the highest step
  /// down, until seal and digests hold (best.h5 counts with its sealed step, and behind a step
  /// checkpoint of the same step), those of the arrays that `load` reads among them: where it
  /// throws InputError or SystemError, it is called again with the next one. What was passed over
  /// (damaged, unreadable, of another format, or holding another step than its name says), and
  /// why, is appended to `passed_over`. nullopt when the folder is missing or holds none.
  /// InputError when the folder may not be read.
  using Load = std::function<void(const CheckpointReader& checkpoint)>;
  std::optional<std::filesystem::path> LoadNewest(const Load& load,
                                                  std::vector<std::string>* passed_over) const;

  /// The file of the highest step up to `step`, whole or not; empty when there is none.
  std::filesystem::path StepFileUpTo(int64_t step) const;

  /// After step checkpoint `newest` was written: removes those before it but the `keep` newest
  /// whole ones, `newest` being the first of them (damaged ones older than those go too); never
  /// best.h5, nor anything beyond `newest`. keep >= 1. Reads nothing when nothing is to go, else at
  /// most four of the files that stay, the oldest first, and remembers what it saw: one that it has
  /// not read yet counts as whole, but nothing goes before the oldest that stays was seen whole. So
  /// `newest` and that one are whole at any time, and all are known to be within keep / 4 calls. An
  /// unremovable file is reported in the return value, not thrown.
  std::vector<std::string> Prune(int keep, int64_t newest);

  /// Makes the step checkpoint of `step` another name of best.h5, which must hold the same contents
  /// or newer ones of the same step, so that they are not written twice. False, with nothing
  /// changed, where the file system knows no such links. SystemError.
  bool LinkStepToBest(int64_t step) const;

  /// Removes what a killed writer left half-written of such files (io/files/publish.h). Call only
  /// while the run folder is locked.
  void RemoveLeftovers() const;

  /// Removes all step checkpoints, and RemoveLeftovers: only for a folder of a start that was cut
  /// short.
  void RemoveAll() const;

  /// Renames the step checkpoints beyond `step` (passed over by a resume from an older one), so
  /// that they cannot shadow the new ones: step-000000000500.h5.passed-over. Some may only have
  /// been unreadable for a moment, so none is removed. Returns their new paths. SystemError or
  /// InputError when one cannot be renamed.
  std::vector<std::filesystem::path> SetAsideBeyond(int64_t step) const;

 private:
  struct StepFile {
    int64_t step;
    std::filesystem::path path;
  };
  enum class Condition { kUnread, kWhole, kDamaged };
  struct Sight {
    Condition condition = Condition::kUnread;
    std::filesystem::file_time_type written;  // when it was seen, the file's own time
  };
  static std::vector<StepFile> StepFiles(const std::filesystem::path& folder);
  Condition Seen(const StepFile& file) const;
  void Remember(const StepFile& file, Condition condition);
  void Read(const StepFile& file);
  size_t CountKept(const std::vector<StepFile>& files, int keep) const;

  std::filesystem::path folder_;
  std::map<int64_t, Sight> seen_;  // by step
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_CHECKPOINTS_CHECKPOINT_FOLDER_H_
