#include "trainer/evaluation.h"

#include <array>

#include "trainer/lanes.h"
#include "trainer/stop_signal.h"

namespace lockstep::trainer {

std::optional<EvaluationResult> Evaluate(Communicator& communicator, worker::LanguageModel& model,
                                         const io::Dataset& dataset, const io::Split& split,
                                         int64_t lanes, int64_t time_steps,
                                         const std::function<void(double)>& progress) {
  constexpr int64_t kBatchesBetweenAgreements = 16;
  const LaneLayout layout(split, lanes, time_steps);
  Lanes reader(dataset, layout, LanesOfRank(lanes, communicator.rank(), communicator.size()));
  worker::RecurrentState state = model.ZeroState(reader.range().count());
  double loss = 0.0;
  for (int64_t batch = 0; batch < layout.batches(); ++batch) {
    loss += model.Evaluate(reader.Read(batch), state);
    if ((batch + 1) % kBatchesBetweenAgreements == 0) {
      std::array<double, 1> stop = {StopSignal() != 0 ? 1.0 : 0.0};
      communicator.Max(stop);
      if (stop[0] > 0.0) return std::nullopt;
      if (progress)
        progress(static_cast<double>(batch + 1) / static_cast<double>(layout.batches()));
    }
  }
  std::array<double, 1> total = {loss};
  communicator.Sum(std::span<double>(total));
  return EvaluationResult{total[0] / static_cast<double>(layout.predictions()),
                          layout.predictions()};
}

}  // namespace lockstep::trainer
