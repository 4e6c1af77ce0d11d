#include "io/text/sorted_runs.h"

#include <algorithm>
#include <cstring>
#include <memory>
#include <queue>
#include <utility>

#include <fmt/format.h>

#include "io/errors.h"
#include "io/files/publish.h"

namespace lockstep::io {
namespace {

// A record: length of the token and its count, as they are in memory (the file never leaves the
// process), and the bytes.
struct RecordHead {
  uint64_t count = 0;
  uint64_t length = 0;
};

constexpr size_t kSmallestBuffer = 4096;
constexpr size_t kLargestBuffer = 1 << 20;

}  // namespace

/// Appends records at a place of the file.
class SortedRuns::Writer {
 public:
  Writer(const SortedRuns& runs, uint64_t begin) : runs_(runs), end_(begin) {
    buffer_.reserve(kLargestBuffer);
  }

  void Write(const TokenCount& token) {
    const RecordHead head = {token.count, token.token.size()};
    buffer_.append(reinterpret_cast<const char*>(&head), sizeof(head));
    buffer_.append(token.token);
    if (buffer_.size() >= kLargestBuffer) Flush();
  }

  /// Writes what is left and returns the end of the run.
  uint64_t Finish() {
    Flush();
    return end_;
  }

 private:
  void Flush() {
    runs_.file_.WriteAt(end_, buffer_.data(), buffer_.size());
    end_ += buffer_.size();
    buffer_.clear();
  }

  const SortedRuns& runs_;
  uint64_t end_;
  std::string buffer_;
};

/// Walks one run through a small buffer.
class SortedRuns::Reader {
 public:
  Reader(const SortedRuns& runs, Extent extent, size_t buffer_bytes)
      : runs_(runs), rest_(extent), buffer_bytes_(buffer_bytes) {}

  /// Steps to the next token; false at the end of the run.
  bool Next() {
    if (at_ == buffer_.size() && rest_.begin == rest_.end) return false;
    RecordHead head;
    std::memcpy(&head, Take(sizeof(head)), sizeof(head));
    current_.count = head.count;
    current_.token = {Take(head.length), head.length};
    return true;
  }

  /// Valid until the next step.
  const TokenCount& current() const { return current_; }

 private:
  /// The next `bytes` of the run, in one piece.
  const char* Take(size_t bytes) {
    if (buffer_.size() - at_ < bytes) Refill(bytes);
    return buffer_.data() + std::exchange(at_, at_ + bytes);
  }

  void Refill(size_t least_bytes) {
    buffer_.erase(0, std::exchange(at_, 0));
    const size_t kept = buffer_.size();
    const uint64_t wanted = std::max(least_bytes, buffer_bytes_) - kept;
    const size_t bytes = std::min<uint64_t>(wanted, rest_.end - rest_.begin);
    buffer_.resize(kept + bytes);
    if (runs_.file_.ReadAt(rest_.begin, buffer_.data() + kept, bytes) != bytes) {
      throw SystemError(fmt::format(
          "a temporary file in {} lost its end. Check the disk or the network file system and try "
          "again.",
          runs_.folder_.string()));
    }
    rest_.begin += bytes;
  }

  const SortedRuns& runs_;
  Extent rest_;  // not yet in the buffer
  size_t buffer_bytes_;
  std::string buffer_;
  size_t at_ = 0;
  TokenCount current_;
};

SortedRuns::SortedRuns(std::filesystem::path folder, size_t memory_bytes)
    : folder_(std::move(folder)), memory_bytes_(memory_bytes) {}

void SortedRuns::Add(std::span<const TokenCount> counts) {
  if (!file_.is_open()) file_ = OpenNameless(folder_);
  Writer writer(*this, end_);
  for (const TokenCount& count : counts) writer.Write(count);
  runs_.push_back({end_, writer.Finish()});
  end_ = runs_.back().end;
  if (runs_.size() >= std::max<size_t>(2, memory_bytes_ / kSmallestBuffer)) MergeIntoOne();
}

void SortedRuns::Merge(const std::function<void(TokenCount)>& visit) const {
  const size_t buffer_bytes = std::clamp(memory_bytes_ / std::max<size_t>(1, runs_.size()),
                                         kSmallestBuffer, kLargestBuffer);
  std::vector<std::unique_ptr<Reader>> readers;
  const auto later = [](const Reader* left, const Reader* right) {
    return left->current().token > right->current().token;
  };
  std::priority_queue<Reader*, std::vector<Reader*>, decltype(later)> first(later);
  for (const Extent& run : runs_) {
    readers.push_back(std::make_unique<Reader>(*this, run, buffer_bytes));
    if (readers.back()->Next()) first.push(readers.back().get());
  }
  std::string token;
  while (!first.empty()) {
    token = first.top()->current().token;
    uint64_t count = 0;
    while (!first.empty() && first.top()->current().token == token) {
      Reader* reader = first.top();
      first.pop();
      count += reader->current().count;
      if (reader->Next()) first.push(reader);
    }
    visit({token, count});
  }
}

void SortedRuns::Clear() {
  file_ = FileDescriptor();
  runs_.clear();
  end_ = 0;
}

void SortedRuns::MergeIntoOne() {
  Writer writer(*this, end_);
  Merge([&](const TokenCount& count) { writer.Write(count); });
  const uint64_t begin = end_;
  end_ = writer.Finish();
  runs_ = {{begin, end_}};
}

}  // namespace lockstep::io
