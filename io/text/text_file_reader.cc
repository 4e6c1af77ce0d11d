#include "io/text/text_file_reader.h"

#include <cerrno>

#include <fmt/format.h>
#include <sys/stat.h>

#include "io/errors.h"

namespace lockstep::io {

void ThrowChanged(const TextFile& file) {
  throw InputError(fmt::format(
      "{} changed while it was imported. Import again when nothing writes to it.", file.path));
}

TextFileReader::TextFileReader(const TextFile& file)
    : listed_(file), file_(FileDescriptor::OpenForReading(file.path)) {
  CheckUnchanged();
}

std::string_view TextFileReader::Read(std::span<char> block) {
  const size_t bytes = file_.ReadAt(bytes_read_, block.data(), block.size());
  bytes_read_ += bytes;
  if (bytes < block.size()) {
    if (bytes_read_ != listed_.bytes) ThrowChanged(listed_);
    CheckUnchanged();
  }
  return {block.data(), bytes};
}

void TextFileReader::CheckUnchanged() const {
  struct stat status {};
  if (::fstat(file_.get(), &status) != 0) ThrowReadFailure(listed_.path, errno);
  const TextFile now = DescribeTextFile(listed_.path, status);
  if (now.bytes != listed_.bytes || now.inode != listed_.inode ||
      now.modified_ns != listed_.modified_ns) {
    ThrowChanged(listed_);
  }
}

}  // namespace lockstep::io
