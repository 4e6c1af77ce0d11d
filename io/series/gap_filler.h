#ifndef LOCKSTEP_IO_SERIES_GAP_FILLER_H_
#define LOCKSTEP_IO_SERIES_GAP_FILLER_H_

#include <cstdint>
#include <optional>
#include <span>
#include <vector>

#include "io/series/series_spill.h"

namespace lockstep::io {

/// What stands in for the missing values (NaN) of a column.
enum class GapFill {
  kLeave,
  kForward,  ///< the value before; ahead of the first one, that
  kLine,     ///< on a line between the values before and behind; outside of them the nearest
};

/// The rows of one series of a spill, block by block, with their gaps filled. A gap may be of any
/// length; memory is that of two blocks.
class GapFiller {
 public:
  struct Column {
    GapFill fill = GapFill::kLeave;
    uint64_t rows = 0;  ///< of the series, from its start, in which gaps are filled
  };

  /// `columns`, one for each of a row's values. Must not outlive the spill.
  GapFiller(const SeriesSpill& spill, uint64_t series, std::span<const Column> columns);

  /// The next whole rows; empty at the end. Valid until the next call.
  std::span<const float> Next();

  /// The first column that has gaps to fill and no value at all in the rows that count; known when
  /// Next has met such a gap, which then stays.
  std::optional<size_t> empty_column() const { return empty_column_; }

 private:
  struct State {
    Column column;
    float last = 0;
    std::optional<uint64_t> last_row;  // of the last value, filled ones aside
    float next = 0;
    uint64_t next_row = 0;  // of the next value, once it was looked for; UINT64_MAX: there is none
  };

  void Fill(std::span<float> block, size_t index);
  void FindNext(std::span<const float> block, size_t index, uint64_t row, State* state) const;

  const SeriesSpill& spill_;
  uint64_t series_;
  SeriesSpill::Reader reader_;
  std::vector<State> states_;
  uint64_t first_row_ = 0;  // of the block
  std::optional<size_t> empty_column_;
};

}  // namespace lockstep::io

#endif  // LOCKSTEP_IO_SERIES_GAP_FILLER_H_
