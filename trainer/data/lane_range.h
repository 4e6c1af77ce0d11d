#ifndef LOCKSTEP_TRAINER_DATA_LANE_RANGE_H_
#define LOCKSTEP_TRAINER_DATA_LANE_RANGE_H_

#include <cstdint>

namespace lockstep::trainer {

/// The half-open range of lanes (rows of the global batch) that a rank holds.
struct LaneRange {
  int64_t begin = 0;
  int64_t end = 0;
  int64_t count() const { return end - begin; }
};

/// floor(rank * lanes / ranks) up to floor((rank + 1) * lanes / ranks).
inline LaneRange LanesOfRank(int64_t lanes, int rank, int ranks) {
  return {rank * lanes / ranks, (rank + 1) * lanes / ranks};
}

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_DATA_LANE_RANGE_H_
