#ifndef LOCKSTEP_IO_FILES_PUBLISH_H_
#define LOCKSTEP_IO_FILES_PUBLISH_H_

#include <cstdint>
#include <filesystem>
#include <functional>
#include <string_view>

#include "io/files/file_descriptor.h"

namespace lockstep::io {

/// A file on its way to its name; the one way in which any new file of ours appears. It is written
/// under a new name in the target's folder, .NAME.HOST.PID.new (.NAME.HOST.PID-N.new for the N-th
/// more of one process), and gets the target's name when it is whole and durable. A reader sees the
/// old file or the new one, never a part.
class NewFile {
 public:
  /// Creates the empty new file, after removing those that dead processes of this host left for the
  /// same target. InputError: no folder, no right to write there, or the target is no file.
  explicit NewFile(const std::filesystem::path& target);
  /// Removes the new file unless Publish was called.
  ~NewFile();
  NewFile(const NewFile&) = delete;
  NewFile& operator=(const NewFile&) = delete;

  /// The new name. Others may open it, write it and close it; it must stay the same file.
  const std::filesystem::path& path() const { return path_; }

  /// Appends bytes. SystemError on a full disk.
  void Append(std::string_view bytes);

  /// fsync, rename, fsync of the folder. On an error before the rename the new file is removed by
  /// the destructor and the old one stands; a failed fsync is never tried again. SystemError.
  void Publish();

 private:
  std::filesystem::path target_;
  std::filesystem::path folder_;
  std::filesystem::path path_;
  // Open from the start to the end, so that the kernel owes us every write-back error of the file.
  FileDescriptor file_;
  uint64_t size_bytes_ = 0;
  bool published_ = false;
};

/// A file for reading and writing that has no name once it is open, so that nothing stays behind
/// however the process ends; on the file system of `folder`. Errors as of NewFile.
FileDescriptor OpenNameless(const std::filesystem::path& folder);

/// Makes `target` another name of the file `existing`, in the same folder, in place of what it
/// named before: a link under a name as above, rename, fsync of the folder. False, with nothing
/// changed, where a link cannot be made (the file system knows none). SystemError when the fsync
/// fails.
bool PublishLink(const std::filesystem::path& existing, const std::filesystem::path& target);

/// Whether this is the name of a file on its way, as above.
bool IsNewFileName(std::string_view name);

/// Whether a file's name is one that the caller publishes.
using IsTarget = std::function<bool(std::string_view name)>;

/// Removes the new files of such targets in `folder`, whichever process or host left them; regular
/// files only, and no file whose name is not of the form above. Only for a folder in which nobody
/// else publishes such targets.
void RemoveNewFiles(const std::filesystem::path& folder, const IsTarget& is_target);

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_FILES_PUBLISH_H_
