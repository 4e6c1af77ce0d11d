#include "io/series/series_spill.h"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "io/errors.h"
#include "io/files/publish.h"

namespace lockstep::io {
namespace {

constexpr uint64_t kBlockValues = uint64_t{1} << 16;
constexpr size_t kWriteValues = size_t{1} << 18;

}  // namespace

SeriesSpill::SeriesSpill(std::filesystem::path folder, uint64_t row_width, uint64_t memory_bytes)
    : folder_(std::move(folder)),
      row_width_(row_width),
      memory_values_(memory_bytes / sizeof(float)) {}

void SeriesSpill::Add(uint64_t series, std::span<const float> rows) {
  if (series >= series_.size()) series_.resize(series + 1);
  std::vector<float>& rest = series_[series].rest;
  if (rest.empty() && !rows.empty()) in_memory_.push_back(series);
  rest.insert(rest.end(), rows.begin(), rows.end());
  values_in_memory_ += rows.size();
  if (values_in_memory_ > memory_values_) Flush();
}

void SeriesSpill::Flush() {
  if (!file_.is_open()) {
    // It loses its name again at the end of this block, and lives on for as long as it is open.
    const NewFile place(folder_ / "lockstep-series-rows");
    file_ = FileDescriptor::OpenForWriting(place.path());
  }
  std::vector<float> buffer;
  const auto write = [&] {
    file_.WriteAt(file_bytes_, buffer.data(), buffer.size() * sizeof(float));
    file_bytes_ += buffer.size() * sizeof(float);
    buffer.clear();
  };
  for (const uint64_t series : in_memory_) {
    Rows& rows = series_[series];
    // The memory, too, is given back: other series may need it.
    const std::vector<float> rest = std::exchange(rows.rest, {});
    rows.extents.push_back({file_bytes_ + buffer.size() * sizeof(float), rest.size() / row_width_});
    buffer.insert(buffer.end(), rest.begin(), rest.end());
    if (buffer.size() >= kWriteValues) write();
  }
  write();
  in_memory_.clear();
  values_in_memory_ = 0;
}

SeriesSpill::Reader::Reader(const SeriesSpill& spill, uint64_t series, uint64_t first_row)
    : spill_(spill), series_(series), row_(first_row) {
  const std::vector<Extent>& extents = spill.series_[series].extents;
  while (extent_ < extents.size() && row_ >= extents[extent_].rows) {
    row_ -= extents[extent_++].rows;
  }
}

std::span<float> SeriesSpill::Reader::Next() {
  const Rows& rows = spill_.series_[series_];
  const uint64_t width = spill_.row_width_;
  const uint64_t most = std::max<uint64_t>(kBlockValues / width, 1);
  const bool in_file = extent_ < rows.extents.size();
  const uint64_t end = in_file ? rows.extents[extent_].rows : rows.rest.size() / width;
  const uint64_t count = std::min(most, end - std::min(row_, end));
  block_.resize(count * width);
  if (in_file) {
    const uint64_t offset = rows.extents[extent_].offset + row_ * width * sizeof(float);
    const size_t bytes = block_.size() * sizeof(float);
    if (spill_.file_.ReadAt(offset, block_.data(), bytes) != bytes) {
      throw SystemError(fmt::format(
          "a temporary file in {} lost its end. Check the disk or the network file system and try "
          "again.",
          spill_.folder_.string()));
    }
  } else {
    std::copy_n(rows.rest.begin() + static_cast<ptrdiff_t>(row_ * width), block_.size(),
                block_.begin());
  }
  row_ += count;
  if (in_file && row_ == end) {
    ++extent_;
    row_ = 0;
  }
  return block_;
}

}  // namespace lockstep::io
