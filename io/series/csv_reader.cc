#include "io/series/csv_reader.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "io/errors.h"

namespace lockstep::io {
namespace {

constexpr size_t kBlockBytes = size_t{4} << 20;
constexpr size_t kMostRowBytes = size_t{64} << 20;
constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
constexpr std::string_view kDelimiters = ",;\t|";

}  // namespace

CsvReader::CsvReader(const std::filesystem::path& path, char delimiter, bool decimal_comma)
    : CsvReader(std::make_unique<ByteSource>(path), delimiter, decimal_comma) {}

CsvReader::CsvReader(std::unique_ptr<CharSource> source, char delimiter, bool decimal_comma)
    : source_(std::move(source)) {
  Refill();
  const std::string_view begin(at_, static_cast<size_t>(end_ - at_));
  if (begin.starts_with("\xff\xfe") || begin.starts_with("\xfe\xff")) {
    throw InputError(name() + " is UTF-16; a table is read as UTF-8. Save it anew as UTF-8.");
  }
  Rewind();
  if (delimiter != 0) {
    SetDelimiter(delimiter);
  } else {
    FindDelimiter(decimal_comma);
  }
}

void CsvReader::SetDelimiter(char delimiter) {
  delimiter_ = delimiter;
  ends_cell_[static_cast<unsigned char>(delimiter)] = true;
  ends_cell_[static_cast<unsigned char>('\n')] = true;
}

void CsvReader::FindDelimiter(bool decimal_comma) {
  std::array<size_t, 256> counts = {};
  bool quoted = false;
  bool any = false;
  for (const char* next = at_; next != end_ && (quoted || *next != '\n' || !any); ++next) {
    if (*next == '"') quoted = !quoted;
    if (!quoted) ++counts[static_cast<unsigned char>(*next)];
    any = any || (*next != '\n' && *next != '\r');
  }
  char best = decimal_comma ? ';' : ',';
  for (const char candidate : kDelimiters) {
    if (decimal_comma && candidate == ',') continue;
    if (counts[static_cast<unsigned char>(candidate)] > counts[static_cast<unsigned char>(best)]) {
      best = candidate;
    }
  }
  SetDelimiter(best);
}

void CsvReader::Rewind() {
  at_ = block_.data();
  next_line_ = 1;
  if (std::string_view(at_, static_cast<size_t>(end_ - at_)).starts_with(kByteOrderMark)) {
    at_ += kByteOrderMark.size();
  }
}

// Moves what is left of the block to its beginning and reads on behind it. False: there is no more.
bool CsvReader::Refill() {
  if (last_block_) return false;
  const size_t kept = static_cast<size_t>(end_ - at_);
  if (kept > kMostRowBytes) {
    throw InputError(
        fmt::format("{}, line {}: the row is longer than {} MB. Is a quote not closed?", name(),
                    next_line_, kMostRowBytes >> 20));
  }
  first_block_ = block_.empty();
  if (kept > 0) std::memmove(block_.data(), at_, kept);
  block_.resize(std::max(block_.size(), std::max(kBlockBytes, 2 * kept) + 1));
  const size_t room = block_.size() - 1 - kept;
  const size_t got = source_->Read({block_.data() + kept, room});
  last_block_ = got < room;
  at_ = block_.data();
  end_ = at_ + kept + got;
  block_[kept + got] = '\n';
  return true;
}

bool CsvReader::Next() {
  for (;;) {
    const Found found = FindRow();
    if (found == Found::kRow) return true;
    if (found == Found::kNothing) return false;
    Refill();
  }
}

bool CsvReader::NextInFirstBlock() { return first_block_ && FindRow() == Found::kRow; }

CsvReader::Found CsvReader::FindRow() {
  while (at_ != end_ && (*at_ == '\n' || (*at_ == '\r' && at_ + 1 != end_ && at_[1] == '\n'))) {
    at_ += *at_ == '\n' ? 1 : 2;
    ++next_line_;
  }
  if (at_ == end_) return last_block_ ? Found::kNothing : Found::kEndOfBlock;
  cells_.clear();
  unescaped_count_ = 0;
  line_ = next_line_;
  uint64_t lines = 1;
  const char* next = at_;
  for (;;) {
    const char* begin = next;
    if (*next == '"') {
      next = QuotedCell(next + 1);
      if (next == nullptr) return Found::kEndOfBlock;
      lines += static_cast<uint64_t>(std::count(begin, next, '\n'));
      if (*next == '\r' && next != end_ && next[1] == '\n') ++next;
      if (!ends_cell_[static_cast<unsigned char>(*next)]) {
        Fail(begin, cells_.size(),
             "text behind a closing quote, expected a delimiter or the line's end");
      }
    } else {
      while (!ends_cell_[static_cast<unsigned char>(*next)]) ++next;
      cells_.emplace_back(begin, static_cast<size_t>(next - begin));
    }
    if (*next == '\n') break;
    ++next;
  }
  if (next == end_ && !last_block_) return Found::kEndOfBlock;
  if (!cells_.back().empty() && cells_.back().back() == '\r' &&
      cells_.back().data() + cells_.back().size() == next) {
    cells_.back().remove_suffix(1);
  }
  at_ = next == end_ ? end_ : next + 1;
  next_line_ += lines;
  return Found::kRow;
}

const char* CsvReader::QuotedCell(const char* next) {
  const char* start = next;
  const char* begin = next;
  std::string* text = nullptr;  // where quotes are doubled
  for (;;) {
    const auto* quote =
        static_cast<const char*>(std::memchr(next, '"', static_cast<size_t>(end_ - next)));
    if (quote == nullptr) {
      if (!last_block_) return nullptr;
      Fail(start - 1, cells_.size() + 1, "a quote that is not closed, expected a closing one");
    }
    const bool doubled = quote + 1 != end_ && quote[1] == '"';
    if (doubled && text == nullptr) {
      if (unescaped_count_ == unescaped_.size()) unescaped_.emplace_back();
      text = &unescaped_[unescaped_count_++];
      text->clear();
    }
    if (text != nullptr) text->append(begin, quote + (doubled ? 1 : 0));
    next = quote + 1;
    if (!doubled) {
      cells_.push_back(text != nullptr
                           ? std::string_view(*text)
                           : std::string_view(begin, static_cast<size_t>(quote - begin)));
      return next;
    }
    begin = ++next;
  }
}

void CsvReader::Fail(const char* place, size_t column, std::string_view what) const {
  const auto line = line_ + static_cast<uint64_t>(std::count(at_, place, '\n'));
  throw InputError(fmt::format("{}, line {}, column {}: found {}.", name(), line, column, what));
}

}  // namespace lockstep::io
