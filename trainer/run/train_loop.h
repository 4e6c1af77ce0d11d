#ifndef LOCKSTEP_TRAINER_RUN_TRAIN_LOOP_H_
#define LOCKSTEP_TRAINER_RUN_TRAIN_LOOP_H_

#include <chrono>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "io/run/metrics_log.h"
#include "proto/run_config.h"
#include "trainer/ranks/communicator.h"
#include "trainer/ranks/gradient_sum.h"
#include "trainer/run/checkpointer.h"
#include "trainer/run/phase_timer.h"
#include "trainer/run/product_engines.h"
#include "trainer/run/progress.h"
#include "trainer/run/replica.h"
#include "trainer/terminal/console.h"
#include "worker/optimizers/clip.h"

namespace lockstep::trainer {

/// How long a training is; agreed before it starts, so that no rank ever runs out early.
struct TrainingLength {
  int64_t steps_per_epoch = 0;
  int64_t total_steps = 0;
};
/// `batches` make an epoch. UsageError when that is more than a run can count.
TrainingLength LengthOf(const proto::Training& config, int64_t batches);

/// After how many steps in a row whose loss is that of a diverged training (Task::HopelessLoss) it
/// has diverged, in a run of `total_steps`.
int64_t MostBadSteps(int64_t total_steps);

/// From a gradient of a sum over so much `weight` to the clipped one of the mean; `norm` is that of
/// the mean.
worker::GradientChange ChangeOf(const proto::Clip& config, double weight, double norm);

/// How a training sums its gradients. Without a task, whose model must be there, no table is known.
SumForm SumFormOf(const proto::Reduction& config);
SumForm SumFormOf(const proto::Reduction& config, const Task& task);

/// The place of evaluation.best_metric among a task's metrics. UsageError when there is none of
/// this name.
size_t MetricIndex(const Task& task, const std::string& name);

/// The training loop of one rank. Everything here is collective. All arguments must outlive it.
class TrainLoop {
 public:
  enum class Outcome { kComplete, kStoppedEarly, kSignal };

  /// `metrics` is nullptr on ranks other than 0; it must be cut to the step before `replica`'s.
  /// `evaluate` is false where the validation split holds nothing.
  TrainLoop(Communicator& communicator, Console& console, const proto::RunConfig& config,
            const TrainingLength& length, bool evaluate, Checkpointer& checkpointer,
            io::MetricsLog* metrics, Replica& replica);

  /// Trains until the end of the run, early stopping or a stop signal on any rank, and leaves a
  /// checkpoint. A stop comes between two batches; what was done of its step is done again. No
  /// failed save but the last one ends it (Checkpointer). AgreedError with kDiverged when loss or
  /// gradient are no longer numbers, or when the loss stays above the task's HopelessLoss; nothing
  /// of the kind becomes the best checkpoint, and steps are saved by a stop only while it lasts.
  Outcome Run();

  const PhaseTimer& timer() const { return timer_; }

 private:
  using Clock = std::chrono::steady_clock;
  struct StepTotals {
    double loss = 0.0;    ///< sum over all predictions of all ranks
    double weight = 0.0;  ///< how many these are
    bool stop = false;    ///< some rank has got a stop signal
    bool save = false;    ///< rank 0's clock asks for a checkpoint
    bool save_has_ended = false;
  };
  std::optional<StepTotals> Step();
  std::optional<double> AccumulateGradient(double* weight, double* rate_factor);
  StepTotals Reduce(double loss, double weight);
  double GradientNorm();
  void RequireFinite(double value, const char* what, int64_t step) const;
  void EndSaveBeforeError() const;
  void Advance();
  void JudgeStep();
  void JudgeEnd() const;
  bool IsHopeless(double loss) const;
  [[noreturn]] void EndDiverged(double loss, const std::string& how_long) const;

  bool EvaluationDue() const;
  bool EvaluateNow();
  bool AnyRankStops();
  bool EvaluateOnAverages(Measurement& measurement);
  void Observe(const MetricValues& values);
  void WriteSample();
  bool IsBest(double value) const;
  std::string DescribeMetrics(const MetricValues& values) const;
  bool CheckpointDue() const;
  bool SaveDueByTime() const;
  bool PatienceIsOver() const;
  bool Finished() const { return replica_.position.step >= length_.total_steps; }
  void TrySave(Checkpointer::What what);
  void TryEndSave();
  void WriteMetrics();

  /// A part of the parameters that stays as it was.
  struct Frozen {
    int64_t offset = 0;
    std::vector<float> values;
  };

  Communicator& communicator_;
  Console& console_;
  const proto::RunConfig& config_;
  const TrainingLength length_;
  const bool evaluate_;
  Checkpointer& checkpointer_;
  io::MetricsLog* const metrics_;
  Replica& replica_;
  Task& task_;
  const bool gradient_leaves_early_;
  GradientSum gradient_sum_;
  const size_t best_metric_;  // its place among the task's metrics
  std::vector<Frozen> frozen_;
  Progress progress_;
  ProductEngines engines_;
  PhaseTimer timer_;
  std::optional<Clock::time_point> save_waits_until_;  // a step's; rank 0's clock tells
};

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_RUN_TRAIN_LOOP_H_
