#include "trainer/run/evaluation.h"

#include <algorithm>
#include <chrono>
#include <span>

namespace lockstep::trainer {

bool Evaluate(Communicator& communicator, Measurement& measurement,
              const worker::RecurrentState& zero_state, PartialEvaluation& partial,
              const std::function<bool()>& pause, const std::function<void(double)>& progress) {
  using Clock = std::chrono::steady_clock;
  constexpr double kSlowSeconds = 0.5;
  const int64_t batches = measurement.batches();
  const size_t width = measurement.sums();
  // Between two agreements; fewer where there is much to say, such as tables of many classes.
  constexpr int64_t kMostBatches = 16, kMostSums = 1 << 17;
  const int64_t most = std::clamp<int64_t>(
      kMostSums / std::max<int64_t>(1, static_cast<int64_t>(width)), 1, kMostBatches);
  const size_t pause_at = static_cast<size_t>(most) * width, slow_at = pause_at + 1;
  if (partial.batch == 0) partial = {0, std::vector<double>(width), zero_state};
  int64_t between = 1;
  while (partial.batch < batches) {
    // The sums of single batches travel, always in an array of the same size, and are added in
    // their order: so the result does not depend on where the agreements fall.
    std::vector<double> sums(slow_at + 1);
    const int64_t count = std::min(between, batches - partial.batch);
    const auto start = Clock::now();
    for (int64_t i = 0; i < count; ++i) {
      measurement.Batch(partial.batch + i, partial.state,
                        std::span(sums).subspan(static_cast<size_t>(i) * width, width));
    }
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    sums[pause_at] = pause() ? 1.0 : 0.0;
    sums[slow_at] = seconds > kSlowSeconds ? 1.0 : 0.0;
    communicator.Sum(std::span<double>(sums));
    for (int64_t i = 0; i < count; ++i) {
      for (size_t k = 0; k < width; ++k) {
        partial.sums[k] += sums[static_cast<size_t>(i) * width + k];
      }
    }
    partial.batch += count;
    between = sums[slow_at] > 0.0 ? std::max<int64_t>(1, between / 2)
                                  : std::min<int64_t>(most, between * 2);
    if (progress) progress(static_cast<double>(partial.batch) / static_cast<double>(batches));
    if (sums[pause_at] > 0.0 && partial.batch < batches) return false;
  }
  return true;
}

}  // namespace lockstep::trainer
