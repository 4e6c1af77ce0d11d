#ifndef LOCKSTEP_TRAINER_TASKS_FORECAST_STREAM_LANES_H_
#define LOCKSTEP_TRAINER_TASKS_FORECAST_STREAM_LANES_H_

#include <cstdint>
#include <string>
#include <vector>

#include "io/datasets/series_dataset.h"
#include "trainer/data/lane_range.h"
#include "trainer/tasks/forecast/series_data.h"

namespace lockstep::trainer {

/// How the series of a split lie over lanes that carry their state from batch to batch. A split of
/// n rows of a series holds n predictions (n - 1 where no row is before it), one for each row from
/// the row before. Each series is cut into chunks of T predictions, the last one as short as it
/// must be; lane i of `lanes` owns the chunks floor(i * N / lanes) up to floor((i + 1) * N / lanes)
/// of all N, and a batch takes one of each. Nothing is left out. A lane starts from a zero state
/// where it starts, and where a series does. A pure function of the dataset.
class StreamLanes {
 public:
  /// `most` predictions about, spread over the split; 0: all. `dataset` must outlive this.
  StreamLanes(const io::SeriesDataset& dataset, const std::string& split, int64_t lanes,
              int64_t time_steps, int64_t most = 0);

  int64_t predictions() const { return predictions_; }  ///< rows to predict, over all lanes
  int64_t batches() const { return longest_; }

  /// What lane `lane` reads in batch `batch`.
  struct Place {
    SeriesData::Batch::Piece piece;
    bool starts_series = false;
  };
  Place At(int64_t lane, int64_t batch) const;

 private:
  int64_t Boundary(int64_t lane) const;

  const int64_t lanes_, time_steps_;
  std::vector<RowRange> inputs_;  // of each series: rows that predict the row behind them
  std::vector<int64_t> ends_;     // of each series: chunks up to its last one
  int64_t longest_ = 0;           // chunks of the longest lane
  int64_t predictions_ = 0;
};

/// Reads a batch of the lanes of a rank.
void ReadStream(const StreamLanes& lanes, LaneRange range, int64_t batch, int64_t time_steps,
                SeriesData::Batch& into);

/// Sets the state of those lanes of a rank to zero that start a series in this batch.
void StartSeries(const StreamLanes& lanes, LaneRange range, int64_t batch,
                 worker::RecurrentState& state);

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_FORECAST_STREAM_LANES_H_
