#include "io/files/publish.h"

#include <array>
#include <cerrno>
#include <charconv>
#include <climits>
#include <cstdio>
#include <optional>
#include <string>
#include <system_error>

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

// The parts of a new file's name. Both NAME and HOST may hold dots, so where one ends is not known.
struct NewName {
  std::string name_and_host;  // "NAME.HOST"
  pid_t process = 0;
};

// A number as we print it, from the front of `text`, which loses it; 0 when there is none.
int TakeNumber(std::string_view* text) {
  if (text->empty() || text->front() < '1' || text->front() > '9') return 0;
  int number = 0;
  const char* end = text->data() + text->size();
  const auto [rest, error] = std::from_chars(text->data(), end, number);
  if (error != std::errc()) return 0;
  text->remove_prefix(static_cast<size_t>(rest - text->data()));
  return number;
}

std::optional<NewName> ParseNewName(std::string_view name) {
  if (!name.starts_with('.') || !name.ends_with(kSuffix)) return std::nullopt;
  if (name.size() <= kSuffix.size()) return std::nullopt;
  name = name.substr(1, name.size() - 1 - kSuffix.size());
  const size_t dot = name.rfind('.');
  if (dot == std::string_view::npos) return std::nullopt;
  std::string_view number = name.substr(dot + 1);
  const pid_t process = TakeNumber(&number);
  if (number.starts_with('-')) {
    number.remove_prefix(1);
    if (TakeNumber(&number) == 0) return std::nullopt;
  }
  if (process == 0 || !number.empty()) return std::nullopt;
  return NewName{std::string(name.substr(0, dot)), process};
}

// Whether "NAME.HOST" can be cut so that `is_target` knows the name.
bool IsOfTarget(const NewName& name, const IsTarget& is_target) {
  const std::string_view both = name.name_and_host;
  for (size_t dot = both.find('.', 1); dot < both.size() - 1; dot = both.find('.', dot + 1)) {
    if (is_target(both.substr(0, dot))) return true;
  }
  return false;
}

// Calls `act` with the path and the parsed name of each regular file with a new file's name. Of
// none when the folder is missing or may not be read: creating a file there will say so.
template <typename Act>
void ForNewFiles(const fs::path& folder, const Act& act) {
  std::error_code error;
  for (fs::directory_iterator entry(folder, error), end; !error && entry != end;
       entry.increment(error)) {
    const std::optional<NewName> name = ParseNewName(entry->path().filename().string());
    std::error_code unknown;
    if (name && entry->symlink_status(unknown).type() == fs::file_type::regular) {
      act(entry->path(), *name);
    }
  }
}

void RemoveLeftoversOfTheDead(const fs::path& folder, const std::string& name_and_host) {
  ForNewFiles(folder, [&](const fs::path& path, const NewName& name) {
    if (name.name_and_host != name_and_host) return;
    if (::kill(name.process, 0) != 0 && errno == ESRCH) ::unlink(path.c_str());
  });
}

}  // namespace

bool IsNewFileName(std::string_view name) {
  const std::optional<NewName> parsed = ParseNewName(name);
  return parsed && IsOfTarget(*parsed, [](std::string_view) { return true; });
}

FileDescriptor OpenNameless(const fs::path& folder) {
  const NewFile place(folder / "lockstep-temporary");
  return FileDescriptor::OpenForWriting(place.path());
}

bool PublishLink(const fs::path& existing, const fs::path& target) {
  const fs::path folder = target.has_parent_path() ? target.parent_path() : ".";
  const fs::path name = folder / fmt::format(".{}.{}.{}{}", target.filename().string(), HostName(),
                                             ::getpid(), kSuffix);
  // Left by a process that had our number; no other one has it now.
  ::unlink(name.c_str());
  if (::link(existing.c_str(), name.c_str()) != 0) return false;
  const bool renamed = std::rename(name.c_str(), target.c_str()) == 0;
  // Still there, too, where the target was this very file already: rename does nothing then.
  ::unlink(name.c_str());
  if (renamed) SyncFolder(folder);
  return renamed;
}

NewFile::NewFile(const fs::path& target)
    : target_(target), folder_(target.has_parent_path() ? target.parent_path() : ".") {
  std::error_code ignored;
  const fs::file_status status = fs::status(target, ignored);
  if (fs::is_directory(status)) ThrowWriteFailure(target, EISDIR);
  if (fs::exists(status) && !fs::is_regular_file(status)) {
    throw InputError(fmt::format("cannot write {}: it is a device or a pipe. Name another file.",
                                 target.string()));
  }
  const std::string name_and_host = fmt::format("{}.{}", target.filename().string(), HostName());
  RemoveLeftoversOfTheDead(folder_, name_and_host);
  for (int attempt = 0; !file_.is_open(); ++attempt) {
    const std::string again = attempt == 0 ? "" : fmt::format("-{}", attempt);
    path_ = folder_ / fmt::format(".{}.{}{}{}", name_and_host, ::getpid(), again, kSuffix);
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

void RemoveNewFiles(const fs::path& folder, const IsTarget& is_target) {
  ForNewFiles(folder, [&](const fs::path& path, const NewName& name) {
    if (!IsOfTarget(name, is_target)) return;
    if (::unlink(path.c_str()) != 0 && errno != ENOENT) ThrowWriteFailure(path, errno);
  });
}

}  // namespace lockstep::io
