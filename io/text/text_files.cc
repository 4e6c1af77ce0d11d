#include "io/text/text_files.h"

#include <algorithm>
#include <cerrno>
#include <iterator>
#include <system_error>
#include <utility>

#include <fmt/format.h>
#include <sys/stat.h>

#include "io/errors.h"
#include "io/files/file_descriptor.h"
#include "io/files/publish.h"
#include "io/files/seal.h"

namespace lockstep::io {
namespace {

namespace fs = std::filesystem;

/// Appends `path` to `files` unless it is an older dataset at the output's place.
void AddFile(const fs::path& path, const fs::path& output, std::vector<TextFile>* files) {
  std::error_code missing;  // the output need not exist
  const bool is_output = fs::equivalent(path, output, missing);
  if (LooksLikeOurs(path)) {
    if (is_output) return;
    throw InputError(fmt::format(
        "{} is a file of lockstep, not a text. Move it out of the folder, or name the texts alone.",
        path.string()));
  }
  if (is_output) {
    throw InputError(fmt::format(
        "{} is a text to import and the dataset to write, which would take its place. Name another "
        "file with --output.",
        path.string()));
  }
  struct stat status {};
  if (::stat(path.c_str(), &status) != 0) ThrowReadFailure(path, errno);
  files->push_back(DescribeTextFile(path.string(), status));
}

/// Appends all regular files below `folder`, sorted.
void AddFolder(const fs::path& folder, const fs::path& output, std::vector<TextFile>* files) {
  const auto begin = std::ssize(*files);
  std::vector<fs::path> folders = {folder};
  while (!folders.empty()) {
    const fs::path current = std::move(folders.back());
    folders.pop_back();
    std::error_code error;
    fs::directory_iterator entry(current, error);
    for (; !error && entry != fs::directory_iterator(); entry.increment(error)) {
      std::error_code unknown;
      if (entry->symlink_status(unknown).type() == fs::file_type::directory) {
        folders.push_back(entry->path());
      } else if (entry->is_regular_file(unknown)) {
        if (!IsNewFileName(entry->path().filename().string())) {
          AddFile(entry->path(), output, files);
        }
      } else if (unknown && unknown != std::errc::no_such_file_or_directory &&
                 unknown != std::errc::too_many_symbolic_link_levels) {
        ThrowReadFailure(entry->path(), unknown.value());
      }
    }
    if (error) ThrowReadFailure(current, error.value());
  }
  std::sort(files->begin() + begin, files->end(),
            [](const TextFile& left, const TextFile& right) { return left.path < right.path; });
}

}  // namespace

TextFile DescribeTextFile(std::string path, const struct stat& status) {
  TextFile file;
  file.path = std::move(path);
  file.bytes = static_cast<uint64_t>(status.st_size);
  file.inode = status.st_ino;
  file.modified_ns = int64_t{status.st_mtim.tv_sec} * 1'000'000'000 + status.st_mtim.tv_nsec;
  return file;
}

std::vector<TextFile> ListTextFiles(const std::vector<fs::path>& paths, const fs::path& output) {
  std::vector<TextFile> files;
  for (const fs::path& path : paths) {
    std::error_code error;
    const fs::file_type type = fs::status(path, error).type();
    if (type == fs::file_type::regular) {
      AddFile(path, output, &files);
    } else if (type == fs::file_type::directory) {
      AddFolder(path, output, &files);
    } else if (error) {
      ThrowReadFailure(path, error.value());
    } else {
      throw InputError(fmt::format(
          "{} is neither a file nor a folder. A text is read twice: put it into a file first.",
          path.string()));
    }
  }
  return files;
}

}  // namespace lockstep::io
