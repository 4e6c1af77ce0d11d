#include "trainer/terminal/output_file.h"

#include <cerrno>
#include <string>
#include <system_error>

#include "io/files/file_descriptor.h"
#include "trainer/terminal/output.h"

namespace lockstep::trainer {
namespace {

namespace fs = std::filesystem;

// Whether something is there that no new file can take the place of. What /dev/stdout and
// /proc/self/fd name may be a regular file, but it is the open one that is meant.
bool IsDevice(const fs::path& path) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (!fs::exists(status) || fs::is_directory(status)) return false;
  if (!fs::is_regular_file(status)) return true;
  const std::string name = fs::absolute(path, error).lexically_normal().string();
  return name.starts_with("/dev/") || name.starts_with("/proc/");
}

// The file that a chain of symbolic links ends at, there or not.
fs::path Target(fs::path path) {
  constexpr int kMostLinks = 40;  // as the kernel
  std::error_code error;
  for (int i = 0; i < kMostLinks && fs::is_symlink(path, error); ++i) {
    path = path.parent_path() / fs::read_symlink(path, error);
  }
  return path;
}

}  // namespace

OutputFile::OutputFile(const fs::path& path) : path_(path) {
  if (path == "-") return;
  if (IsDevice(path)) {
    device_.emplace(path, std::ios::binary | std::ios::app);
    RequireGood();
  } else {
    file_.emplace(Target(path));
  }
}

void OutputFile::RequireGood() {
  if (!device_->good()) io::ThrowWriteFailure(path_, errno);
}

void OutputFile::Write(std::string_view bytes) {
  if (file_) {
    file_->Append(bytes);
  } else if (device_) {
    device_->write(bytes.data(), std::ssize(bytes)).flush();
    RequireGood();
  } else {
    WriteResult(bytes);
  }
}

void OutputFile::Finish() {
  if (file_) file_->Publish();
}

}  // namespace lockstep::trainer
