#ifndef LOCKSTEP_IO_RUN_RUN_FOLDER_H_
#define LOCKSTEP_IO_RUN_RUN_FOLDER_H_

#include <filesystem>
#include <string>
#include <utility>
#include <vector>

#include "io/errors.h"
#include "io/files/file_descriptor.h"

namespace lockstep::io {

/// Another run holds the folder; it may let go.
class FolderInUseError : public InputError {
 public:
  using InputError::InputError;
};

/// The folder of one training run, held by one run at a time.
///     lock               held (flock) by the run; names its process and host
///     config.textproto   the complete run configuration
///     metrics.jsonl      one line a step
///     log.txt            what a person was told
///     checkpoints/       see io/checkpoints/checkpoint.h
///     .checkpoints.anew  what becomes `checkpoints` when a new run begins; see PrepareAnew
class RunFolder {
 public:
  /// Creates the folder (and its parents), locks it until destruction or the death of the process,
  /// and, when locked, removes what a killed run left half-written in it; finishes a BeginAnew that
  /// a kill cut short. FolderInUseError when another run holds it (names host and process),
  /// InputError when it cannot be created or written, or when its `lock` is somebody else's file. A
  /// child that was forked holds the lock, too, until it calls exec or ends.
  explicit RunFolder(std::filesystem::path folder);
  RunFolder(const RunFolder&) = delete;
  RunFolder& operator=(const RunFolder&) = delete;

  /// False where the file system knows no locks: nothing keeps a second run out. Worth a warning.
  bool locked() const { return locked_; }

  const std::filesystem::path& path() const { return folder_; }
  std::filesystem::path checkpoints() const { return folder_ / "checkpoints"; }
  std::filesystem::path metrics() const { return folder_ / "metrics.jsonl"; }
  std::filesystem::path log() const { return folder_ / "log.txt"; }
  std::filesystem::path configuration() const { return folder_ / "config.textproto"; }

  /// A new run where an older one may stand, in two steps: whoever opens the folder after a kill at
  /// any moment finds the older run as it was or the new one. PrepareAnew makes a folder for the
  /// new run's checkpoints and returns its path; a first one may be written there. BeginAnew then
  /// gives what the older run left (checkpoints, metrics.jsonl, config.textproto) a number that is
  /// free behind its name, `checkpoints.1`, makes the new folder `checkpoints`, and returns the old
  /// and new paths of the older run. SystemError, InputError.
  std::filesystem::path PrepareAnew() const;
  using Renamed = std::vector<std::pair<std::filesystem::path, std::filesystem::path>>;
  Renamed BeginAnew() const;

  /// Writes the run's configuration. Another one that stands there, perhaps a user's own, gets
  /// another name, which is returned (else empty). InputError or SystemError when it cannot.
  std::filesystem::path WriteConfiguration(const std::string& text) const;

 private:
  std::filesystem::path prepared() const { return folder_ / ".checkpoints.anew"; }
  void RemovePrepared() const;
  void FinishAnew(int number, Renamed* renamed) const;

  std::filesystem::path folder_;
  FileDescriptor lock_;
  bool locked_ = true;
};

/// Writes a small text file atomically and durably: new name, write, fsync, rename, fsync of the
/// folder.
void WriteTextFile(const std::filesystem::path& path, const std::string& text);
/// InputError when missing or unreadable.
std::string ReadTextFile(const std::filesystem::path& path);

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_RUN_RUN_FOLDER_H_
