#ifndef LOCKSTEP_IO_FILES_FILE_DESCRIPTOR_H_
#define LOCKSTEP_IO_FILES_FILE_DESCRIPTOR_H_

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string_view>

namespace lockstep::io {

/// Throws what an error number means for a person who wanted to read or write `path`: InputError
/// for what he can mend (no such file, no rights, a folder where a file should be), SystemError for
/// the rest. The message holds the path, the system's words, and how to go on.
[[noreturn]] void ThrowReadFailure(const std::filesystem::path& path, int error_number);
[[noreturn]] void ThrowWriteFailure(const std::filesystem::path& path, int error_number);

/// What a power cut may leave of a file that was never synced.
bool IsAllZeros(std::string_view bytes);

/// Makes the names in a folder durable, as fsync makes a file's contents. Throws as above.
void SyncFolder(const std::filesystem::path& folder);

/// Owner of an open file. Closed in children that call exec. Every failure is thrown as above.
class FileDescriptor {
 public:
  /// Nothing open.
  FileDescriptor() = default;
  /// Opens for reading; InputError for anything but a regular file (and never waits on a pipe).
  static FileDescriptor OpenForReading(const std::filesystem::path& path);
  /// Opens an existing file for reading and writing.
  static FileDescriptor OpenForWriting(const std::filesystem::path& path);
  /// Creates a file for reading and writing; errors speak of it as `name`. Nothing open is returned
  /// when there is a file of this path already.
  static FileDescriptor CreateNew(const std::filesystem::path& path,
                                  const std::filesystem::path& name);

  /// Opens for reading and writing and creates the file when it is missing.
  static FileDescriptor OpenOrCreate(const std::filesystem::path& path);

  FileDescriptor(FileDescriptor&& other) noexcept;
  FileDescriptor& operator=(FileDescriptor&& other) noexcept;
  ~FileDescriptor();

  bool is_open() const { return descriptor_ >= 0; }
  int get() const { return descriptor_; }

  uint64_t SizeBytes() const;
  /// Reads at `offset`; fewer than `bytes` only at the end of the file.
  size_t ReadAt(uint64_t offset, void* out, size_t bytes) const;
  void WriteAt(uint64_t offset, const void* data, size_t bytes) const;
  /// Cuts the file, or lengthens it with zeros.
  void Resize(uint64_t bytes) const;
  /// fsync, once: after a failure the kernel may have dropped the pages, and a second call would
  /// lie.
  void Sync() const;

 private:
  FileDescriptor(std::filesystem::path path, int descriptor);

  std::filesystem::path path_;
  int descriptor_ = -1;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_FILES_FILE_DESCRIPTOR_H_
