#include "io/sequences/example_spill.h"

#include <algorithm>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "io/errors.h"
#include "io/files/publish.h"

namespace lockstep::io {
namespace {

constexpr size_t kWindowBytes = size_t{4} << 20;

// Takes whole records off the front.
template <typename Take>
void TakeRecords(std::string_view* bytes, const Take& take) {
  uint32_t size = 0;
  while (bytes->size() >= sizeof(size)) {
    std::memcpy(&size, bytes->data(), sizeof(size));
    if (bytes->size() - sizeof(size) < size) return;
    take(bytes->substr(sizeof(size), size));
    bytes->remove_prefix(sizeof(size) + size);
  }
}

}  // namespace

ExampleSpill::ExampleSpill(std::filesystem::path folder, uint64_t memory_bytes)
    : folder_(std::move(folder)), memory_bytes_(memory_bytes) {}

void ExampleSpill::Add(std::string_view record) {
  const auto size = static_cast<uint32_t>(record.size());
  rest_.append(reinterpret_cast<const char*>(&size), sizeof(size));
  rest_.append(record);
  ++size_;
  if (rest_.size() > memory_bytes_) Flush();
}

void ExampleSpill::Flush() {
  if (!file_.is_open()) {
    // It loses its name again at the end of this block, and lives on for as long as it is open.
    const NewFile place(folder_ / "lockstep-examples");
    file_ = FileDescriptor::OpenForWriting(place.path());
  }
  file_.WriteAt(file_bytes_, rest_.data(), rest_.size());
  file_bytes_ += rest_.size();
  rest_.clear();
}

void ExampleSpill::Visit(
    const std::function<void(uint64_t index, std::string_view record)>& visit) const {
  uint64_t index = 0;
  const auto take = [&](std::string_view record) { visit(index++, record); };
  std::string window;
  size_t kept = 0;  // of a record whose end is yet to be read
  for (uint64_t at = 0; at < file_bytes_;) {
    const size_t now = std::min<uint64_t>(std::max(kWindowBytes, kept), file_bytes_ - at);
    window.resize(kept + now);
    if (file_.ReadAt(at, window.data() + kept, now) != now) {
      throw SystemError(fmt::format(
          "a temporary file in {} lost its end. Check the disk or the network file system and try "
          "again.",
          folder_.string()));
    }
    at += now;
    std::string_view bytes = window;
    TakeRecords(&bytes, take);
    kept = bytes.size();
    std::memmove(window.data(), bytes.data(), kept);
  }
  std::string_view bytes = rest_;
  TakeRecords(&bytes, take);
}

}  // namespace lockstep::io
