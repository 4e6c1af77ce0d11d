#include "io/run/metrics_log.h"

#include <algorithm>
#include <cerrno>
#include <string>
#include <system_error>
#include <vector>

#include <fcntl.h>
#include <fmt/format.h>
#include <nlohmann/json.hpp>
#include <sys/stat.h>
#include <unistd.h>

#include "io/errors.h"
#include "io/files/file_descriptor.h"
#include "io/files/publish.h"

namespace lockstep::io {
namespace {

namespace fs = std::filesystem;

constexpr size_t kReadBytes = size_t{1} << 20;

// False for what a killed run wrote too much, and for half lines.
bool IsToKeep(const std::string& line, int64_t last_step) {
  const auto object = nlohmann::json::parse(line, nullptr, /*allow_exceptions=*/false);
  if (!object.is_object()) return false;
  const auto step = object.find("step");
  return step != object.end() && step->is_number_integer() && step->get<int64_t>() <= last_step;
}

// As Write begins a line, its digits apart.
bool BeginsAsMetrics(const FileDescriptor& file) {
  constexpr std::string_view kBegins = "{\"step\":,\"epoch\":";
  std::string begin(kBegins.size() + 20, '\0');
  begin.resize(file.ReadAt(0, begin.data(), begin.size()));
  std::erase_if(begin, [](char c) { return c >= '0' && c <= '9'; });
  begin.resize(std::min(begin.size(), kBegins.size()));
  return kBegins.starts_with(begin) || IsAllZeros(begin);
}

// Calls `act` for each line to keep; false when there is something else in the file.
template <typename Act>
bool ForKeptLines(const FileDescriptor& file, int64_t last_step, const Act& act) {
  std::string text;  // what is read and not yet a whole line
  std::vector<char> block(kReadBytes);
  bool all = true;
  for (uint64_t offset = 0;;) {
    const size_t got = file.ReadAt(offset, block.data(), block.size());
    // A last line without its line feed may lack digits.
    if (got == 0) return all && text.empty();
    offset += got;
    text.append(block.data(), got);
    size_t begin = 0;
    for (size_t end; (end = text.find('\n', begin)) != std::string::npos; begin = end + 1) {
      const std::string line = text.substr(begin, end - begin);
      if (IsToKeep(line, last_step)) {
        act(line);
      } else {
        all = false;
      }
    }
    text.erase(0, begin);
  }
}

void Cut(const fs::path& path, int64_t last_step) {
  std::error_code ignored;
  if (!fs::exists(path, ignored)) return;
  const FileDescriptor old = FileDescriptor::OpenForReading(path);
  if (!BeginsAsMetrics(old)) {
    throw InputError(fmt::format(
        "{} does not begin as the metrics of Lockstep do, and a run would overwrite it. Move it "
        "away, or name another training.folder.",
        path.string()));
  }
  if (ForKeptLines(old, last_step, [](const std::string&) {})) return;
  NewFile file(path);
  ForKeptLines(old, last_step, [&](const std::string& line) { file.Append(line + '\n'); });
  file.Publish();
}

}  // namespace

MetricsLog::MetricsLog(const fs::path& path, int64_t last_step) : path_(path) {
  Cut(path, last_step);
  file_ = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0666);
  if (file_ < 0) ThrowWriteFailure(path, errno);
  struct stat status {};
  if (::fstat(file_, &status) == 0) durable_bytes_ = static_cast<uint64_t>(status.st_size);
}

MetricsLog::~MetricsLog() { ::close(file_); }

void MetricsLog::WriteWaiting() {
  while (error_number_ == 0 && written_bytes_ < waiting_.size()) {
    const ssize_t put =
        ::write(file_, waiting_.data() + written_bytes_, waiting_.size() - written_bytes_);
    if (put >= 0) {
      written_bytes_ += static_cast<size_t>(put);
    } else if (errno != EINTR) {
      error_number_ = errno;
    }
  }
}

// 0, or why not.
int MetricsLog::SyncFile() const {
  // EINVAL: a pipe or a device, which has nothing to be synced.
  return ::fdatasync(file_) != 0 && errno != EINVAL ? errno : 0;
}

// Of the first bytes of waiting_, which were all written.
void MetricsLog::NoteSynced(size_t bytes, int error_number) {
  if (error_number != 0) {
    error_number_ = error_number;
    return;
  }
  durable_bytes_ += bytes;
  waiting_.erase(0, bytes);
  written_bytes_ -= bytes;
}

void MetricsLog::Sync() {
  std::unique_lock lock(mutex_);
  if (error_number_ != 0) {
    // All of it again: after a failed fdatasync the kernel may have dropped what it had of it.
    if (::ftruncate(file_, static_cast<off_t>(durable_bytes_)) != 0)
      ThrowWriteFailure(path_, errno);
    written_bytes_ = 0;
    error_number_ = 0;
    WriteWaiting();
  }
  if (error_number_ == 0) {
    // Lines may come meanwhile; those are not synced.
    const size_t bytes = waiting_.size();
    syncing_ = true;
    lock.unlock();
    const int error_number = SyncFile();
    lock.lock();
    syncing_ = false;
    NoteSynced(bytes, error_number);
  }
  if (error_number_ != 0) ThrowWriteFailure(path_, error_number_);
}

void MetricsLog::Write(const StepMetrics& metrics) {
  nlohmann::ordered_json line = {{"step", metrics.step},
                                 {"epoch", metrics.epoch},
                                 {"loss", metrics.loss},
                                 {"gradient_norm", metrics.gradient_norm},
                                 {"learning_rate", metrics.learning_rate},
                                 {metrics.unit + "_per_second", metrics.predictions_per_second}};
  for (const auto& [name, value] : metrics.validation) line["validation_" + name] = value;
  constexpr size_t kMostWaitingBytes = size_t{1} << 20;
  const std::lock_guard lock(mutex_);
  waiting_ += line.dump() + '\n';
  WriteWaiting();
  // A run without checkpoints would keep its lines in memory for ever.
  if (error_number_ == 0 && !syncing_ && waiting_.size() >= kMostWaitingBytes) {
    NoteSynced(waiting_.size(), SyncFile());
  }
}

}  // namespace lockstep::io
