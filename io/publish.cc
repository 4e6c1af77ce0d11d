#include "io/publish.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstdio>
#include <string>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <signal.h>
#include <unistd.h>

#include "io/errors.h"

namespace lockstep::io {
namespace {

namespace fs = std::filesystem;

constexpr std::string_view kSuffix = ".new";

std::string HostName() {
  std::array<char, HOST_NAME_MAX + 1> name{};
  if (::gethostname(name.data(), name.size() - 1) != 0) return "localhost";
  return name.data();
}

// None when the folder is missing or may not be read: creating a file there will say so.
std::vector<fs::path> NewFiles(const fs::path& folder) {
  std::vector<fs::path> paths;
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    if (IsNewFileName(entry->path().filename().string())) paths.push_back(entry->path());
  }
  return paths;
}

// `stem` is ".NAME.HOST."; what follows in a leftover's name is the number of the process that made
// it.
void RemoveLeftoversOfTheDead(const fs::path& folder, const std::string& stem) {
  for (const fs::path& path : NewFiles(folder)) {
    const std::string name = path.filename().string();
    if (!name.starts_with(stem)) continue;
    pid_t process = 0;
    std::from_chars(name.data() + stem.size(), name.data() + name.size(), process);
    if (process > 0 && ::kill(process, 0) != 0 && errno == ESRCH) ::unlink(path.c_str());
  }
}

void SyncFolder(const fs::path& folder) {
  const int descriptor = ::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC);
  if (descriptor < 0) ThrowWriteFailure(folder, errno);
  // EINVAL: the file system has no fsync for folders and needs none.
  const int error_number = ::fsync(descriptor) != 0 && errno != EINVAL ? errno : 0;
  ::close(descriptor);
  if (error_number != 0) ThrowWriteFailure(folder, error_number);
}

}  // namespace

bool IsNewFileName(std::string_view name) {
  return name.starts_with('.') && name.ends_with(kSuffix);
}

NewFile::NewFile(const fs::path& target)
    : target_(target), folder_(target.has_parent_path() ? target.parent_path() : ".") {
  std::error_code ignored;
  if (fs::is_directory(target, ignored)) ThrowWriteFailure(target, EISDIR);
  const std::string stem = fmt::format(".{}.{}.", target.filename().string(), HostName());
  RemoveLeftoversOfTheDead(folder_, stem);
  for (int attempt = 0; !file_.is_open(); ++attempt) {
    const std::string again = attempt == 0 ? "" : fmt::format("-{}", attempt);
    path_ = folder_ / fmt::format("{}{}{}{}", stem, ::getpid(), again, kSuffix);
    file_ = FileDescriptor::CreateNew(path_, target_);
  }
}

NewFile::~NewFile() {
  if (!published_) ::unlink(path_.c_str());
}

void NewFile::Append(std::string_view bytes) {
  file_.WriteAt(size_bytes_, bytes.data(), bytes.size());
  size_bytes_ += bytes.size();
}

void NewFile::Publish() {
  file_.Sync();
  if (std::rename(path_.c_str(), target_.c_str()) != 0) ThrowWriteFailure(target_, errno);
  published_ = true;
  SyncFolder(folder_);
}

void RemoveNewFiles(const fs::path& folder) {
  for (const fs::path& path : NewFiles(folder)) {
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) ThrowWriteFailure(path, errno);
  }
}

}  // namespace lockstep::io
