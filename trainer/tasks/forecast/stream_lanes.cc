#include "trainer/tasks/forecast/stream_lanes.h"

#include <algorithm>

namespace lockstep::trainer {

StreamLanes::StreamLanes(const io::SeriesDataset& dataset, const std::string& split, int64_t lanes,
                         int64_t time_steps, int64_t most)
    : lanes_(lanes), time_steps_(time_steps) {
  int64_t chunks = 0;
  for (uint64_t i = 0; i < dataset.series_count(); ++i) {
    const io::Series& series = dataset.series(i);
    const RowRange rows = RowsOfSplit(series, split);
    // The row in front of a split predicts its first row.
    const uint64_t begin = rows.begin > series.begin ? rows.begin - 1 : rows.begin;
    const uint64_t end = rows.end > begin ? rows.end - 1 : begin;
    inputs_.push_back({begin, end});
    predictions_ += static_cast<int64_t>(end - begin);
    chunks += (static_cast<int64_t>(end - begin) + time_steps - 1) / time_steps;
    ends_.push_back(chunks);
  }
  longest_ = (chunks + lanes - 1) / lanes;
  if (most == 0) return;
  longest_ = std::min(longest_, std::max<int64_t>(1, most / (lanes * time_steps)));
  predictions_ = 0;
  for (int64_t lane = 0; lane < lanes; ++lane) {
    for (int64_t batch = 0; batch < longest_; ++batch) {
      predictions_ += static_cast<int64_t>(At(lane, batch).piece.targets);
    }
  }
}

int64_t StreamLanes::Boundary(int64_t lane) const {
  return static_cast<int64_t>(static_cast<__int128>(lane) * (ends_.empty() ? 0 : ends_.back()) /
                              lanes_);
}

StreamLanes::Place StreamLanes::At(int64_t lane, int64_t batch) const {
  const int64_t chunk = Boundary(lane) + batch;
  if (chunk >= Boundary(lane + 1)) return {};
  const auto series = static_cast<size_t>(std::ranges::upper_bound(ends_, chunk) - ends_.begin());
  const int64_t within = chunk - (series > 0 ? ends_[series - 1] : 0);
  const RowRange& rows = inputs_[series];
  const uint64_t first = rows.begin + static_cast<uint64_t>(within * time_steps_);
  return {{series, first, std::min<uint64_t>(rows.end - first, time_steps_)}, within == 0};
}

void ReadStream(const StreamLanes& lanes, LaneRange range, int64_t batch, int64_t time_steps,
                SeriesData::Batch& into) {
  std::vector<SeriesData::Batch::Piece> pieces;
  for (int64_t lane = range.begin; lane < range.end; ++lane) {
    pieces.push_back(lanes.At(lane, batch).piece);
  }
  into.ReadPieces(pieces, time_steps);
}

void StartSeries(const StreamLanes& lanes, LaneRange range, int64_t batch,
                 worker::RecurrentState& state) {
  for (int64_t lane = range.begin; lane < range.end; ++lane) {
    if (!lanes.At(lane, batch).starts_series) continue;
    for (const auto& part : state.parts()) {
      for (int64_t layer = 0; layer < state.layers; ++layer) {
        const auto row =
            part.values.begin() + (layer * state.lanes + lane - range.begin) * state.units;
        std::fill(row, row + state.units, 0.0f);
      }
    }
  }
}

}  // namespace lockstep::trainer
