#include "io/text/line_reader.h"

#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "io/errors.h"

namespace lockstep::io {
namespace {

constexpr size_t kBlockBytes = 1 << 16;
constexpr size_t kLongestLineBytes = 1 << 24;
constexpr std::string_view kByteOrderMark = "\xEF\xBB\xBF";

}  // namespace

LineReader::LineReader(const std::filesystem::path& path)
    : LineReader(std::make_unique<ByteSource>(path)) {}

LineReader::LineReader(std::unique_ptr<CharSource> source)
    : source_(std::move(source)), block_(kBlockBytes) {}

std::optional<std::string_view> LineReader::Next() {
  line_.clear();
  if (begin_ == end_ && !Fill()) return std::nullopt;
  ++line_number_;
  bool whole = false;
  while (!whole && (begin_ < end_ || Fill())) {
    const char* from = block_.data() + begin_;
    const void* feed = std::memchr(from, '\n', end_ - begin_);
    whole = feed != nullptr;
    const size_t size =
        whole ? static_cast<size_t>(static_cast<const char*>(feed) - from) : end_ - begin_;
    line_.append(from, size);
    begin_ += size + (whole ? 1 : 0);
    if (line_.size() > kLongestLineBytes) Fail("the line is longer than 16 MB");
  }
  std::string_view line = line_;
  if (whole && line.ends_with('\r')) line.remove_suffix(1);
  if (line_number_ == 1 && line.starts_with(kByteOrderMark)) {
    line.remove_prefix(kByteOrderMark.size());
  }
  return line;
}

bool LineReader::Fill() {
  begin_ = 0;
  end_ = source_->Read(block_);
  return end_ > 0;
}

void LineReader::Fail(const std::string& what) const {
  throw InputError(fmt::format("{}, line {}: {}", name(), line_number_, what));
}

}  // namespace lockstep::io
