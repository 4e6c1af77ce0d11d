#include "worker/layers/recurrent_state.h"

#include <algorithm>

#include "worker/parallel_for.h"

namespace lockstep::worker {

RecurrentState SelectLanes(const RecurrentState& state, std::span<const int64_t> from) {
  const auto select = [&](const std::vector<float>& values) {
    return values.empty() ? values : SelectRows(values, state.layers, state.lanes, from);
  };
  return {select(state.h), select(state.c), state.layers, std::ssize(from), state.units};
}

std::vector<float> SelectRows(const std::vector<float>& values, int64_t blocks, int64_t rows,
                              std::span<const int64_t> from) {
  const int64_t width = std::ssize(values) / (blocks * rows), count = std::ssize(from);
  std::vector<float> selected(blocks * count * width);
  ParallelFor(blocks * count, [&](int64_t i) {
    std::copy_n(values.data() + (i / count * rows + from[i % count]) * width, width,
                selected.data() + i * width);
  });
  return selected;
}

}  // namespace lockstep::worker
