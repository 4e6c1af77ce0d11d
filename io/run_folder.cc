#include "io/run_folder.h"

#include <array>
#include <cerrno>
#include <climits>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include "io/errors.h"
#include "io/file_descriptor.h"
#include "io/publish.h"

namespace lockstep::io {
namespace {

namespace fs = std::filesystem;

constexpr char kLockName[] = "lock";
constexpr std::string_view kHolderBegins = "process ";

std::string ThisProcess() {
  std::array<char, HOST_NAME_MAX + 1> host{};
  if (::gethostname(host.data(), host.size() - 1) != 0) host = {"this host"};
  return fmt::format("{}{} on {}", kHolderBegins, ::getpid(), host.data());
}

std::string ReadAll(const FileDescriptor& file) {
  std::string text(file.SizeBytes(), '\0');
  text.resize(file.ReadAt(0, text.data(), text.size()));
  return text;
}

}  // namespace

RunFolder::RunFolder(fs::path folder) : folder_(std::move(folder)) {
  std::error_code error;
  fs::create_directories(folder_, error);
  if (error) ThrowWriteFailure(folder_, error.value());
  const fs::path lock = folder_ / kLockName;
  lock_ = FileDescriptor::OpenOrCreate(lock);
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    // Some parallel file systems know no locks; a run there goes on without.
    locked_ = !(errno == ENOSYS || errno == EOPNOTSUPP || errno == ENOLCK);
    if (locked_ && errno != EWOULDBLOCK) ThrowWriteFailure(lock, errno);
    if (locked_) {
      throw InputError(fmt::format(
          "the run folder {} is in use by {}. Wait for that run, stop it, or name another folder.",
          folder_.string(), ReadAll(lock_)));
    }
  }
  if (const std::string old = ReadAll(lock_); !old.starts_with(kHolderBegins) && !IsAllZeros(old)) {
    throw InputError(fmt::format(
        "{} is not a lock of Lockstep, and a run would overwrite it. Move it away, or name another "
        "training.folder.",
        lock.string()));
  }
  const std::string holder = ThisProcess();
  lock_.Resize(0);
  lock_.WriteAt(0, holder.data(), holder.size());
  if (!locked_) return;  // new files may be another run's work
  RemoveNewFiles(folder_, [&](std::string_view name) {
    return name == metrics().filename() || name == configuration().filename();
  });
}

void WriteTextFile(const fs::path& path, const std::string& text) {
  NewFile file(path);
  file.Append(text);
  file.Publish();
}

std::string ReadTextFile(const fs::path& path) {
  return ReadAll(FileDescriptor::OpenForReading(path));
}

}  // namespace lockstep::io
