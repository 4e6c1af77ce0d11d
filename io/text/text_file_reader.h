#ifndef LOCKSTEP_IO_TEXT_TEXT_FILE_READER_H_
#define LOCKSTEP_IO_TEXT_TEXT_FILE_READER_H_

#include <cstdint>
#include <span>
#include <string_view>

#include "io/files/file_descriptor.h"
#include "io/text/text_files.h"

namespace lockstep::io {

/// Reads one file from beginning to end, and checks that it is still the file that was listed.
class TextFileReader {
 public:
  /// `file` must outlive the reader. InputError when it cannot be opened or has changed since it
  /// was listed.
  explicit TextFileReader(const TextFile& file);

  /// Fills `block` as far as the file goes and returns what was read; empty at the end of the file.
  /// InputError when the file has changed; SystemError on an I/O error.
  std::string_view Read(std::span<char> block);

 private:
  void CheckUnchanged() const;

  const TextFile& listed_;
  FileDescriptor file_;
  uint64_t bytes_read_ = 0;
};

/// InputError: the file is no longer what it was.
[[noreturn]] void ThrowChanged(const TextFile& file);

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_TEXT_TEXT_FILE_READER_H_
