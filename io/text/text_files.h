#ifndef LOCKSTEP_IO_TEXT_TEXT_FILES_H_
#define LOCKSTEP_IO_TEXT_TEXT_FILES_H_

#include <cstdint>
#include <filesystem>
#include <string>
#include <vector>

struct stat;

namespace lockstep::io {

/// A file of a corpus, and how it stood when it was listed.
struct TextFile {
  std::string path;
  uint64_t bytes = 0;
  uint64_t inode = 0;
  int64_t modified_ns = 0;  ///< since the epoch
};

/// What is known of a file by stat(2).
TextFile DescribeTextFile(std::string path, const struct stat& status);

/// The regular files that `paths` name, in the order of `paths`; a folder gives all files below it,
/// sorted by the bytes of their paths. Symbolic links to files are followed; links to folders only
/// where `paths` names one, so that no walk can go in circles. Left out are an older dataset at the
/// place of `output`, in folders what an import that was killed left half-written (.*.new), and
/// everything below a folder that is not a regular file. A path given twice is listed twice.
/// InputError, naming the path: missing, unreadable, neither a file nor a folder, another file of
/// ours, a text at the place of `output`.
std::vector<TextFile> ListTextFiles(const std::vector<std::filesystem::path>& paths,
                                    const std::filesystem::path& output);

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_TEXT_TEXT_FILES_H_
