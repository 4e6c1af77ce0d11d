#include "io/series/byte_source.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <unistd.h>
#include <zlib.h>

#include "io/errors.h"
#include "io/files/file_descriptor.h"

namespace lockstep::io {
namespace {

constexpr std::string_view kGzipMagic = "\x1f\x8b";
constexpr size_t kPackedBytes = size_t{1} << 18;
constexpr int kGzipWindow = 15 + 16;  // zlib: the largest window, in gzip's wrapping

bool IsStandardInput(const std::filesystem::path& path) { return path == "-"; }

}  // namespace

struct ByteSource::Input {
  FileDescriptor file;  // nothing open: the standard input
};

/// Unpacks one gzip member behind the other.
class ByteSource::Inflater {
 public:
  explicit Inflater(std::string_view begin) : packed_(kPackedBytes) {
    if (inflateInit2(&stream_, kGzipWindow) != Z_OK) throw std::bad_alloc();
    std::copy(begin.begin(), begin.end(), packed_.begin());
    stream_.next_in = packed_.data();
    stream_.avail_in = static_cast<uInt>(begin.size());
  }
  Inflater(const Inflater&) = delete;
  Inflater& operator=(const Inflater&) = delete;
  ~Inflater() { inflateEnd(&stream_); }

  size_t Read(ByteSource* source, std::span<char> out) {
    size_t done = 0;
    while (done < out.size()) {
      if (stream_.avail_in == 0) {
        const auto room = reinterpret_cast<char*>(packed_.data());
        stream_.next_in = packed_.data();
        stream_.avail_in = static_cast<uInt>(source->ReadRaw({room, packed_.size()}));
        if (stream_.avail_in == 0) {
          if (!between_members_) Fail(*source, "is cut short");
          break;
        }
      }
      if (between_members_ && inflateReset(&stream_) != Z_OK) Fail(*source, "cannot be unpacked");
      between_members_ = false;
      const size_t now = std::min<size_t>(out.size() - done, size_t{1} << 30);
      stream_.next_out = reinterpret_cast<Bytef*>(out.data() + done);
      stream_.avail_out = static_cast<uInt>(now);
      const int result = inflate(&stream_, Z_NO_FLUSH);
      done += now - stream_.avail_out;
      between_members_ = result == Z_STREAM_END;
      if (result != Z_OK && result != Z_STREAM_END && result != Z_BUF_ERROR) {
        Fail(*source, "is damaged");
      }
    }
    return done;
  }

 private:
  [[noreturn]] void Fail(const ByteSource& source, std::string_view what) const {
    throw InputError(fmt::format("{} {}, as gzip goes (byte {}: {}). Take another copy.",
                                 source.name(), what, source.bytes_read() - stream_.avail_in,
                                 stream_.msg != nullptr ? stream_.msg : "it ends within a member"));
  }

  z_stream stream_ = {};
  std::vector<Bytef> packed_;
  bool between_members_ = false;
};

ByteSource::ByteSource(const std::filesystem::path& path)
    : name_(IsStandardInput(path) ? "standard input" : path.string()),
      input_(std::make_unique<Input>()) {
  if (!IsStandardInput(path)) input_->file = FileDescriptor::OpenForReading(path);
  begin_.resize(kGzipMagic.size());
  begin_.resize(ReadRaw(begin_));
  if (begin_ != kGzipMagic) return;
  inflater_ = std::make_unique<Inflater>(begin_);
  begin_.clear();
}

ByteSource::~ByteSource() = default;

size_t ByteSource::Read(std::span<char> out) {
  if (inflater_ != nullptr) return inflater_->Read(this, out);
  const size_t held = std::min(begin_.size(), out.size());
  std::copy_n(begin_.begin(), held, out.begin());
  begin_.erase(0, held);
  return held + ReadRaw(out.subspan(held));
}

size_t ByteSource::ReadRaw(std::span<char> out) {
  size_t done = 0;
  if (input_->file.is_open()) {
    done = input_->file.ReadAt(bytes_read_, out.data(), out.size());
  } else {
    while (done < out.size()) {
      const ssize_t got = ::read(STDIN_FILENO, out.data() + done, out.size() - done);
      if (got < 0 && errno == EINTR) continue;
      if (got < 0) ThrowReadFailure(name_, errno);
      if (got == 0) break;
      done += static_cast<size_t>(got);
    }
  }
  bytes_read_ += done;
  return done;
}

uint64_t SourceBytes(const std::filesystem::path& path) {
  return IsStandardInput(path) ? 0 : FileDescriptor::OpenForReading(path).SizeBytes();
}

}  // namespace lockstep::io
