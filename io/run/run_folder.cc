#include "io/run/run_folder.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstdio>
#include <system_error>
#include <utility>

#include <fcntl.h>
#include <fmt/format.h>
#include <sys/file.h>
#include <unistd.h>

#include "io/checkpoints/checkpoint_folder.h"
#include "io/errors.h"
#include "io/files/file_descriptor.h"
#include "io/files/publish.h"

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

// The name of what an older run left.
fs::path Aside(const fs::path& path, int number) {
  return fmt::format("{}.{}", path.string(), number);
}

// The highest number behind a name, at least 1.
int LastNumber(const fs::path& path) {
  const std::string stem = path.filename().string() + ".";
  int highest = 1;
  for (const auto& entry : fs::directory_iterator(path.parent_path())) {
    const std::string name = entry.path().filename().string();
    if (!name.starts_with(stem)) continue;
    int number = 0;
    const char* end = name.data() + name.size();
    const auto [rest, error] = std::from_chars(name.data() + stem.size(), end, number);
    if (error == std::errc() && rest == end) highest = std::max(highest, number);
  }
  return highest;
}

// The first name of that form, from `number` on, that nothing has.
fs::path FreeAside(const fs::path& path, int number) {
  while (fs::exists(Aside(path, number))) ++number;
  return Aside(path, number);
}

void Rename(const fs::path& from, const fs::path& to) {
  if (std::rename(from.c_str(), to.c_str()) != 0) ThrowWriteFailure(from, errno);
}

void CreateFolder(const fs::path& path) {
  std::error_code error;
  fs::create_directories(path, error);
  if (error) ThrowWriteFailure(path, error.value());
}

std::string ReadAll(const FileDescriptor& file) {
  std::string text(file.SizeBytes(), '\0');
  text.resize(file.ReadAt(0, text.data(), text.size()));
  return text;
}

}  // namespace

RunFolder::RunFolder(fs::path folder) : folder_(std::move(folder)) {
  CreateFolder(folder_);
  const fs::path lock = folder_ / kLockName;
  lock_ = FileDescriptor::OpenOrCreate(lock);
  if (::flock(lock_.get(), LOCK_EX | LOCK_NB) != 0) {
    // Some parallel file systems know no locks; a run there goes on without.
    locked_ = !(errno == ENOSYS || errno == EOPNOTSUPP || errno == ENOLCK);
    if (locked_ && errno != EWOULDBLOCK) ThrowWriteFailure(lock, errno);
    if (locked_) {
      const std::string holder = ReadAll(lock_);
      throw FolderInUseError(fmt::format(
          "the run folder {} is in use by {}. Wait for that run, stop it, or name another folder.",
          folder_.string(), holder.empty() ? "another process" : holder));
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
  if (locked_) {  // else they may be another run's work
    RemoveNewFiles(folder_, [&](std::string_view name) {
      return name == metrics().filename() || name == configuration().filename();
    });
  }
  if (!fs::exists(prepared())) return;
  if (!fs::exists(checkpoints())) {
    Renamed renamed;
    FinishAnew(LastNumber(checkpoints()), &renamed);
  } else if (locked_) {
    RemovePrepared();
  }
}

fs::path RunFolder::PrepareAnew() const {
  RemovePrepared();
  CreateFolder(prepared());
  SyncFolder(folder_);
  return prepared();
}

// The moment at which `checkpoints` gets its other name (or, empty, goes) is the moment at which
// the new run begins: before it nothing is changed, after it the constructor does the rest.
RunFolder::Renamed RunFolder::BeginAnew() const {
  Renamed renamed;
  int number = 1;
  while (
      std::ranges::any_of(std::array{checkpoints(), metrics(), configuration()},
                          [&](const fs::path& path) { return fs::exists(Aside(path, number)); })) {
    ++number;
  }
  if (::rmdir(checkpoints().c_str()) != 0 && errno != ENOENT) {
    Rename(checkpoints(), Aside(checkpoints(), number));
    renamed.emplace_back(checkpoints(), Aside(checkpoints(), number));
  }
  FinishAnew(number, &renamed);
  return renamed;
}

void RunFolder::FinishAnew(int number, Renamed* renamed) const {
  for (const fs::path& path : {metrics(), configuration()}) {
    if (!fs::exists(path)) continue;
    renamed->emplace_back(path, FreeAside(path, number));
    Rename(path, renamed->back().second);
  }
  Rename(prepared(), checkpoints());
  SyncFolder(folder_);
}

fs::path RunFolder::WriteConfiguration(const std::string& text) const {
  fs::path aside;
  if (fs::exists(configuration()) && ReadTextFile(configuration()) != text) {
    aside = FreeAside(configuration(), 1);
    Rename(configuration(), aside);
  }
  WriteTextFile(configuration(), text);
  return aside;
}

// Only what a start can have left there.
void RunFolder::RemovePrepared() const {
  if (!fs::exists(prepared())) return;
  CheckpointFolder(prepared()).RemoveAll();
  ::rmdir(prepared().c_str());
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
