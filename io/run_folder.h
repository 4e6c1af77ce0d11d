#ifndef LOCKSTEP_IO_RUN_FOLDER_H_
#define LOCKSTEP_IO_RUN_FOLDER_H_

#include <filesystem>
#include <string>

#include "io/file_descriptor.h"

namespace lockstep::io {

/// The folder of one training run, held by one run at a time.
///     lock               held (flock) by the run; names its process and host
///     config.textproto   the complete run configuration
///     metrics.jsonl      one line a step
///     log.txt            what a person was told
///     checkpoints/       see io/checkpoint.h
class RunFolder {
 public:
  /// Creates the folder (and its parents), locks it until destruction or the death of the process,
  /// and, when locked, removes what a killed run left half-written in it. InputError when another
  /// run holds it (names host and process), when it cannot be created or written, or when its
  /// `lock` is somebody else's file. A child that was forked holds the lock, too, until it calls
  /// exec or ends.
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

 private:
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

#endif  // LOCKSTEP_IO_RUN_FOLDER_H_
