#ifndef LOCKSTEP_IO_TEXT_LINE_READER_H_
#define LOCKSTEP_IO_TEXT_LINE_READER_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "io/series/byte_source.h"

namespace lockstep::io {

/// The lines of a text file, plain or packed by gzip, one at a time; a byte order mark at the start
/// is skipped. Lines end in a line feed, or carriage return and line feed; the last one may have
/// neither.
class LineReader {
 public:
  /// As ByteSource.
  explicit LineReader(const std::filesystem::path& path);
  /// The same of what the source gives.
  explicit LineReader(std::unique_ptr<CharSource> source);

  /// The next line without its end, valid until the next call; nullopt behind the last one.
  /// InputError when a line is longer than 16 MB or packed bytes are damaged; SystemError.
  std::optional<std::string_view> Next();

  /// Of the line that Next gave, from 1.
  uint64_t line_number() const { return line_number_; }
  uint64_t bytes_read() const { return source_->bytes_read(); }
  const std::string& name() const { return source_->name(); }

  /// InputError: "FILE, line 7: ...".
  [[noreturn]] void Fail(const std::string& what) const;

 private:
  /// False at the end of the file.
  bool Fill();

  std::unique_ptr<CharSource> source_;
  std::vector<char> block_;
  size_t begin_ = 0;
  size_t end_ = 0;
  std::string line_;
  uint64_t line_number_ = 0;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_TEXT_LINE_READER_H_
