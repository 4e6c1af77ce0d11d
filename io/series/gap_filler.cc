#include "io/series/gap_filler.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace lockstep::io {
namespace {

constexpr uint64_t kNone = std::numeric_limits<uint64_t>::max();

}  // namespace

GapFiller::GapFiller(const SeriesSpill& spill, uint64_t series, std::span<const Column> columns)
    : spill_(spill), series_(series), reader_(spill, series) {
  states_.resize(columns.size());
  for (size_t i = 0; i < columns.size(); ++i) states_[i].column = columns[i];
}

std::span<const float> GapFiller::Next() {
  const std::span<float> block = reader_.Next();
  for (size_t i = 0; i < states_.size(); ++i) {
    if (states_[i].column.fill != GapFill::kLeave) Fill(block, i);
  }
  first_row_ += block.size() / states_.size();
  return block;
}

void GapFiller::Fill(std::span<float> block, size_t index) {
  State& state = states_[index];
  const size_t width = states_.size();
  const uint64_t rows = block.size() / width;
  const uint64_t end = std::min(rows, state.column.rows - std::min(first_row_, state.column.rows));
  for (uint64_t i = 0; i < end; ++i) {
    float& value = block[i * width + index];
    const uint64_t row = first_row_ + i;
    if (!std::isnan(value)) {
      state.last = value;
      state.last_row = row;
      continue;
    }
    const bool ahead_of_all = !state.last_row;
    if ((ahead_of_all || state.column.fill == GapFill::kLine) && state.next_row <= row) {
      FindNext(block, index, row, &state);
    }
    const bool behind_all = state.next_row == kNone;
    if (ahead_of_all && behind_all) {
      if (!empty_column_) empty_column_ = index;
      return;
    }
    if (ahead_of_all) {
      value = state.next;
    } else if (state.column.fill == GapFill::kForward || behind_all) {
      value = state.last;
    } else {
      const double share = static_cast<double>(row - *state.last_row) /
                           static_cast<double>(state.next_row - *state.last_row);
      value = static_cast<float>(state.last + share * (double{state.next} - state.last));
    }
  }
}

// The first value behind `row`, in this block or, seldom, in those that follow.
void GapFiller::FindNext(std::span<const float> block, size_t index, uint64_t row,
                         State* state) const {
  const size_t width = states_.size();
  state->next_row = kNone;
  const auto look = [&](std::span<const float> rows, uint64_t first) {
    for (uint64_t i = 0; i * width < rows.size() && first + i < state->column.rows; ++i) {
      const float value = rows[i * width + index];
      if (std::isnan(value)) continue;
      state->next = value;
      state->next_row = first + i;
      return true;
    }
    return false;
  };
  if (look(block.subspan((row - first_row_) * width), row)) return;
  uint64_t first = first_row_ + block.size() / width;
  SeriesSpill::Reader ahead(spill_, series_, first);
  for (;;) {
    const std::span<const float> rows = ahead.Next();
    if (rows.empty() || first >= state->column.rows || look(rows, first)) return;
    first += rows.size() / width;
  }
}

}  // namespace lockstep::io
