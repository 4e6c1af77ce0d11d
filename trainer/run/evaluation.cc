#include "trainer/run/evaluation.h"

#include <algorithm>
#include <array>
#include <chrono>

namespace lockstep::trainer {

std::optional<EvaluationResult> Evaluate(Communicator& communicator, worker::LanguageModel& model,
                                         Lanes& reader, PartialEvaluation& partial,
                                         const std::function<bool()>& pause,
                                         const std::function<void(double)>& progress) {
  using Clock = std::chrono::steady_clock;
  constexpr int64_t kMostBatches = 16;  // between two agreements
  constexpr size_t kPause = kMostBatches, kSlow = kPause + 1;
  constexpr double kSlowSeconds = 0.5;
  const int64_t batches = reader.layout().batches();
  if (partial.batch == 0) partial = {0, 0.0, model.ZeroState(reader.range().count())};
  int64_t between = 1;
  while (partial.batch < batches) {
    // The losses of single batches travel, always in an array of the same size, and are added in
    // their order: so the sum does not depend on where the agreements fall.
    std::array<double, kMostBatches + 2> sums = {};
    const int64_t count = std::min(between, batches - partial.batch);
    const auto start = Clock::now();
    for (int64_t i = 0; i < count; ++i) {
      sums[i] = model.Evaluate(reader.Read(partial.batch + i), partial.state);
    }
    const double seconds = std::chrono::duration<double>(Clock::now() - start).count();
    sums[kPause] = pause() ? 1.0 : 0.0;
    sums[kSlow] = seconds > kSlowSeconds ? 1.0 : 0.0;
    communicator.Sum(std::span<double>(sums));
    for (int64_t i = 0; i < count; ++i) partial.loss += sums[i];
    partial.batch += count;
    between = sums[kSlow] > 0.0 ? std::max<int64_t>(1, between / 2)
                                : std::min<int64_t>(kMostBatches, between * 2);
    if (progress) progress(static_cast<double>(partial.batch) / static_cast<double>(batches));
    if (sums[kPause] > 0.0 && partial.batch < batches) return std::nullopt;
  }
  const int64_t tokens = reader.layout().predictions();
  return EvaluationResult{partial.loss / static_cast<double>(tokens), tokens};
}

}  // namespace lockstep::trainer
