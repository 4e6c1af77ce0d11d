#ifndef LOCKSTEP_IO_SERIES_CSV_READER_H_
#define LOCKSTEP_IO_SERIES_CSV_READER_H_

#include <array>
#include <cstdint>
#include <deque>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "io/series/byte_source.h"

namespace lockstep::io {

/// The rows of a CSV file (RFC 4180; lines end in LF or CRLF; a byte order mark and empty lines are
/// passed over), packed by gzip or not. Memory: two blocks of 4 MB, or the longest row.
class CsvReader {
 public:
  /// `delimiter` 0: the one of , ; tab | that is most frequent in the first line, outside of
  /// quotes (of equal ones the first); the comma is none of them with `decimal_comma`. InputError:
  /// no such file, UTF-16, an empty file.
  CsvReader(const std::filesystem::path& path, char delimiter, bool decimal_comma);
  /// The same of what the source gives, which must be UTF-8.
  CsvReader(std::unique_ptr<CharSource> source, char delimiter, bool decimal_comma);

  /// Steps to the next row, the first line's at first; false at the end. InputError, with file,
  /// line and column: a quote that is not closed or with text behind it, a row over 64 MB.
  bool Next();
  /// The same, but false, too, before another block would have to be read; then Rewind.
  bool NextInFirstBlock();
  /// Back to the first line. Requires that nothing beyond the first block was read.
  void Rewind();

  /// The cells of the row, without their quotes; valid until the next step.
  std::span<const std::string_view> cells() const { return cells_; }
  /// In which the row begins, from 1.
  uint64_t line() const { return line_; }
  char delimiter() const { return delimiter_; }
  const std::string& name() const { return source_->name(); }
  uint64_t bytes_read() const { return source_->bytes_read(); }

 private:
  enum class Found { kRow, kNothing, kEndOfBlock };

  void SetDelimiter(char delimiter);
  void FindDelimiter(bool decimal_comma);
  bool Refill();
  Found FindRow();
  // The cell behind the quote at `next`, appended to cells_; returns the place behind its closing
  // quote, or null when the block ends before it.
  const char* QuotedCell(const char* next);
  [[noreturn]] void Fail(const char* place, size_t column, std::string_view what) const;

  std::unique_ptr<CharSource> source_;
  char delimiter_ = 0;
  std::array<bool, 256> ends_cell_ = {};
  std::vector<char> block_;  // one more than is read: a line feed stands at end_
  const char* at_ = nullptr;
  const char* end_ = nullptr;
  bool first_block_ = true;
  bool last_block_ = false;
  uint64_t line_ = 0;
  uint64_t next_line_ = 1;
  std::vector<std::string_view> cells_;
  std::deque<std::string> unescaped_;  // cells with quotes inside; kept from row to row
  size_t unescaped_count_ = 0;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_SERIES_CSV_READER_H_
