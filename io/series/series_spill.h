#ifndef LOCKSTEP_IO_SERIES_SERIES_SPILL_H_
#define LOCKSTEP_IO_SERIES_SERIES_SPILL_H_

#include <cstdint>
#include <filesystem>
#include <span>
#include <vector>

#include "io/files/file_descriptor.h"

namespace lockstep::io {

/// The rows of many series, taken in any order of the series and given back one series after the
/// other. What a bounded memory does not hold lies in a file without a name, which is gone when
/// this is.
class SeriesSpill {
 public:
  /// The file is made in `folder` when it is needed.
  SeriesSpill(std::filesystem::path folder, uint64_t row_width, uint64_t memory_bytes);

  /// Appends rows of `row_width` values to a series; a new one has the next number. SystemError on
  /// a full disk.
  void Add(uint64_t series, std::span<const float> rows);

  /// Gives back the rows of one series in blocks. Must not outlive the spill, which must not grow
  /// meanwhile.
  class Reader {
   public:
    /// From `first_row` on.
    Reader(const SeriesSpill& spill, uint64_t series, uint64_t first_row = 0);
    /// Whole rows, in room that the caller may change; empty at the end. Valid until the next call.
    std::span<float> Next();

   private:
    const SeriesSpill& spill_;
    uint64_t series_;
    size_t extent_ = 0;
    uint64_t row_ = 0;  // of the extent, or of what is in memory
    std::vector<float> block_;
  };

 private:
  struct Extent {
    uint64_t offset = 0;  // bytes
    uint64_t rows = 0;
  };
  struct Rows {
    std::vector<Extent> extents;  // in the file
    std::vector<float> rest;      // behind them
  };

  void Flush();

  std::filesystem::path folder_;
  uint64_t row_width_;
  uint64_t memory_values_;
  std::vector<Rows> series_;
  std::vector<uint64_t> in_memory_;  // series with a rest
  uint64_t values_in_memory_ = 0;
  FileDescriptor file_;
  uint64_t file_bytes_ = 0;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_SERIES_SERIES_SPILL_H_
