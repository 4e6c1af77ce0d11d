#include "io/files/file_descriptor.h"

#include <cerrno>
#include <string>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/stat.h>
#include <unistd.h>

#include "io/errors.h"

namespace lockstep::io {
namespace {

std::string Words(int error_number) { return std::generic_category().message(error_number); }

}  // namespace

void ThrowReadFailure(const std::filesystem::path& path, int error_number) {
  const std::string what = fmt::format("cannot read {}: {}", path.string(), Words(error_number));
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
    case ENAMETOOLONG:
    case ELOOP:
      throw InputError(what + ". Check the path.");
    case EISDIR:
      throw InputError(what + ". Name a file, not a folder.");
    case EACCES:
    case EPERM:
      throw InputError(what + ". Ask for the right to read it.");
    case EAGAIN:
      throw InputError(what + ". Another program has it open for writing; wait until it is done.");
    default:
      throw SystemError(what + ". Check the disk or the network file system and try again.");
  }
}

void ThrowWriteFailure(const std::filesystem::path& path, int error_number) {
  const std::string what = fmt::format("cannot write {}: {}", path.string(), Words(error_number));
  switch (error_number) {
    case ENOENT:
    case ENOTDIR:
      throw InputError(what + ". Create its folder first, or name another one.");
    case ENAMETOOLONG:
    case ELOOP:
    case EISDIR:
      throw InputError(what + ". Name another file.");
    case EACCES:
    case EPERM:
    case EROFS:
      throw InputError(what + ". Ask for the right to write there, or name another folder.");
    case ENOSPC:
    case EDQUOT:
    case EFBIG:
      throw SystemError(what +
                        ". Make room there (or name another folder) and start again; files that "
                        "stood before still stand.");
    default:
      throw SystemError(what +
                        ". Check the disk or the network file system and start again; files that "
                        "stood before still stand.");
  }
}

bool IsAllZeros(std::string_view bytes) {
  return bytes.find_first_not_of('\0') == std::string_view::npos;
}

FileDescriptor::FileDescriptor(std::filesystem::path path, int descriptor)
    : path_(std::move(path)), descriptor_(descriptor) {}

FileDescriptor FileDescriptor::OpenForReading(const std::filesystem::path& path) {
  // O_NONBLOCK: opening a named pipe would wait for its writer.
  FileDescriptor file(path, ::open(path.c_str(), O_RDONLY | O_CLOEXEC | O_NONBLOCK));
  if (!file.is_open()) ThrowReadFailure(path, errno);
  struct stat status {};
  if (::fstat(file.descriptor_, &status) != 0) ThrowReadFailure(path, errno);
  if (S_ISDIR(status.st_mode)) ThrowReadFailure(path, EISDIR);
  if (!S_ISREG(status.st_mode)) {
    throw InputError(
        fmt::format("cannot read {}: it is a device or a pipe. Name a file.", path.string()));
  }
  return file;
}

void SyncFolder(const std::filesystem::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) ThrowWriteFailure(folder, errno);
  // EINVAL: the file system has no fsync for folders and needs none.
  const int error_number = ::fsync(descriptor) != 0 && errno != EINVAL ? errno : 0;
  ::close(descriptor);
  if (error_number != 0) ThrowWriteFailure(folder, error_number);
}

FileDescriptor FileDescriptor::OpenForWriting(const std::filesystem::path& path) {
  FileDescriptor file(path, ::open(path.c_str(), O_RDWR | O_CLOEXEC));
  if (!file.is_open()) ThrowWriteFailure(path, errno);
  return file;
}

FileDescriptor FileDescriptor::CreateNew(const std::filesystem::path& path,
                                         const std::filesystem::path& name) {
  FileDescriptor file(name, ::open(path.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0666));
  if (!file.is_open() && errno != EEXIST) ThrowWriteFailure(name, errno);
  return file;
}

FileDescriptor FileDescriptor::OpenOrCreate(const std::filesystem::path& path) {
  FileDescriptor file(path, ::open(path.c_str(), O_RDWR | O_CREAT | O_CLOEXEC, 0666));
  if (!file.is_open()) ThrowWriteFailure(path, errno);
  return file;
}

FileDescriptor::FileDescriptor(FileDescriptor&& other) noexcept
    : path_(std::move(other.path_)), descriptor_(std::exchange(other.descriptor_, -1)) {}

FileDescriptor& FileDescriptor::operator=(FileDescriptor&& other) noexcept {
  std::swap(path_, other.path_);
  std::swap(descriptor_, other.descriptor_);
  return *this;
}

FileDescriptor::~FileDescriptor() {
  if (is_open()) ::close(descriptor_);
}

uint64_t FileDescriptor::SizeBytes() const {
  struct stat status {};
  if (::fstat(descriptor_, &status) != 0) ThrowReadFailure(path_, errno);
  return static_cast<uint64_t>(status.st_size);
}

size_t FileDescriptor::ReadAt(uint64_t offset, void* out, size_t bytes) const {
  size_t done = 0;
  while (done < bytes) {
    const ssize_t got = ::pread(descriptor_, static_cast<char*>(out) + done, bytes - done,
                                static_cast<off_t>(offset + done));
    if (got < 0 && errno == EINTR) continue;
    if (got < 0) ThrowReadFailure(path_, errno);
    if (got == 0) break;
    done += static_cast<size_t>(got);
  }
  return done;
}

void FileDescriptor::WriteAt(uint64_t offset, const void* data, size_t bytes) const {
  size_t done = 0;
  while (done < bytes) {
    const ssize_t put = ::pwrite(descriptor_, static_cast<const char*>(data) + done, bytes - done,
                                 static_cast<off_t>(offset + done));
    if (put < 0 && errno == EINTR) continue;
    if (put < 0) ThrowWriteFailure(path_, errno);
    done += static_cast<size_t>(put);
  }
}

void FileDescriptor::Resize(uint64_t bytes) const {
  if (::ftruncate(descriptor_, static_cast<off_t>(bytes)) != 0) ThrowWriteFailure(path_, errno);
}

void FileDescriptor::Sync() const {
  if (::fsync(descriptor_) != 0) ThrowWriteFailure(path_, errno);
}

}  // namespace lockstep::io
