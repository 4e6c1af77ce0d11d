#include "trainer/run/train_loop.h"

#include <algorithm>
#include <array>
#include <chrono>
#include <cmath>
#include <limits>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "trainer/ranks/stop_signal.h"
#include "trainer/run/evaluation.h"
#include "worker/optimizers/clip.h"
#include "worker/products/gemm.h"

namespace lockstep::trainer {
namespace {

// Between ranks of one host a sum is work of its cores alone, so that there is nothing to hide (two
// ranks, AVX2: 2 to 3% slower).
bool LeavesEarly(const Communicator& communicator, const proto::Reduction& config) {
  if (config.overlap() != proto::Reduction::BETWEEN_HOSTS) {
    return config.overlap() == proto::Reduction::ALWAYS;
  }
  return communicator.host_share().ranks < communicator.size();
}

}  // namespace

TrainingLength LengthOf(const proto::Training& config, int64_t batches) {
  const int64_t of_a_step = config.accumulate_batches();
  TrainingLength length;
  length.steps_per_epoch = (batches + of_a_step - 1) / of_a_step;
  if (config.has_steps()) {
    length.total_steps = config.steps();
  } else if (__builtin_mul_overflow(config.epochs(), length.steps_per_epoch, &length.total_steps)) {
    throw UsageError(fmt::format(
        "training.epochs {} x {} steps an epoch are more steps than can be counted. Lower "
        "training.epochs.",
        config.epochs(), length.steps_per_epoch));
  }
  return length;
}

// The first step never counts: it is a measure itself.
int64_t MostBadSteps(int64_t total_steps) { return std::clamp<int64_t>(total_steps - 1, 1, 50); }

worker::GradientChange ChangeOf(const proto::Clip& config, double weight, double norm) {
  worker::GradientChange change = {.factor = 1.0 / weight};
  if (config.has_global_norm()) change.factor *= worker::NormClipFactor(norm, config.global_norm());
  if (config.has_value()) change.limit = config.value();
  return change;
}

SumForm SumFormOf(const proto::Reduction& config) {
  SumForm form;
  if (config.wire() == proto::Reduction::BF16) form.wire = Wire::kBfloat16;
  if (config.shard_optimizer()) form.result = SumResult::kShares;
  return form;
}

// (Of a tied embedding all rows have gradients, which the sum finds.)
SumForm SumFormOf(const proto::Reduction& config, const Task& task) {
  SumForm form = SumFormOf(config);
  if (const worker::Parameter* const table = task.leading_embedding()) {
    form.table = {table->shape[0], table->shape[1]};
  }
  return form;
}

size_t MetricIndex(const Task& task, const std::string& name) {
  const std::vector<MetricFacts>& metrics = task.metrics();
  const auto found = std::ranges::find(metrics, name, &MetricFacts::name);
  if (found != metrics.end()) return static_cast<size_t>(found - metrics.begin());
  std::vector<std::string> names;
  for (const MetricFacts& metric : metrics) names.push_back(metric.name);
  throw UsageError(
      fmt::format("evaluation.best_metric is \"{}\"; allowed: {}", name, fmt::join(names, ", ")));
}

TrainLoop::TrainLoop(Communicator& communicator, Console& console, const proto::RunConfig& config,
                     const TrainingLength& length, bool evaluate, Checkpointer& checkpointer,
                     io::MetricsLog* metrics, Replica& replica)
    : communicator_(communicator),
      console_(console),
      config_(config),
      length_(length),
      evaluate_(evaluate),
      checkpointer_(checkpointer),
      metrics_(metrics),
      replica_(replica),
      task_(replica.task),
      gradient_leaves_early_(LeavesEarly(communicator, config.training().reduction())),
      gradient_sum_(communicator, replica.parameters().gradient(),
                    SumFormOf(config.training().reduction(), task_)),
      best_metric_(MetricIndex(task_, config.evaluation().best_metric())),
      progress_(console, task_,
                {length.total_steps, length.steps_per_epoch, config.training().progress_seconds()},
                replica.position.step),
      engines_(console) {
  checkpointer_.SyncBeforeSaves(metrics_);
  for (const int index : task_.frozen()) {
    const worker::Parameter& parameter = task_.parameters().list()[index];
    const float* values = task_.parameters().value(index);
    frozen_.push_back({parameter.offset, {values, values + parameter.size}});
  }
}

TrainLoop::Outcome TrainLoop::Run() {
  bool stop = false;
  // A stop may have come between a step and its evaluation: then that comes first now.
  if (EvaluationDue()) {
    stop = !EvaluateNow();
  } else {
    replica_.evaluation = {};  // the configuration has changed
  }
  if (replica_.position.step > 0) WriteMetrics();
  while (!stop && !Finished() && !PatienceIsOver()) {
    const std::optional<StepTotals> totals = Step();
    stop = !totals || totals->stop;
    if (!totals) break;
    engines_.Look(worker::ProductEngines());
    if (totals->save_has_ended) TryEndSave();
    // What a diverging training has come to is not worth a good checkpoint's place.
    const bool good = replica_.position.bad_steps == 0;
    if (good && (totals->save || CheckpointDue())) {
      // It waits for an evaluation, with whose end it is written once, but not so long that a kill
      // would lose twice what it may lose without.
      const auto now = Clock::now();
      save_waits_until_ = now + (now - checkpointer_.saved_at());
    }
    if (!stop && EvaluationDue()) stop = !EvaluateNow();
    if (!stop && save_waits_until_) TrySave(Checkpointer::What::kStep);
    WriteMetrics();
    progress_.Step(replica_.position, static_cast<int64_t>(totals->weight));
  }
  progress_.Flush(replica_.position);
  if (!stop) JudgeEnd();
  timer_.Enter(Phase::kCheckpoint);
  checkpointer_.SaveStep(replica_);
  timer_.Enter(Phase::kOther);
  if (stop) return Outcome::kSignal;
  return Finished() ? Outcome::kComplete : Outcome::kStoppedEarly;
}

// One update: the gradient of the mean loss over the global batch, whatever ranks hold of it.
// nullopt when a stop came before the update: then nothing has changed.
std::optional<TrainLoop::StepTotals> TrainLoop::Step() {
  const auto start = Clock::now();
  Position& position = replica_.position;
  const auto gradient = replica_.parameters().gradient();

  double weight = 0.0, rate_factor = 0.0;
  const std::optional<double> loss = AccumulateGradient(&weight, &rate_factor);
  if (!loss) return std::nullopt;
  const StepTotals totals = Reduce(*loss, weight);
  RequireFinite(totals.loss, "loss", position.step + 1);

  timer_.Enter(Phase::kOptimizer);
  // Where no lane had anything to predict, the gradient is zero.
  const double weight_or_one = std::max(totals.weight, 1.0);
  for (const Frozen& part : frozen_) {
    std::ranges::fill(gradient.subspan(part.offset, part.values.size()), 0.0f);
  }
  const double norm = GradientNorm() / weight_or_one;
  RequireFinite(norm, "norm of the gradient", position.step + 1);
  const double rate = rate_factor * replica_.schedule.Rate(position.step);
  replica_.optimizer.Step(replica_.parameters().values(), gradient, rate,
                          ChangeOf(config_.optimizer().clip(), weight_or_one, norm));
  if (replica_.shards_optimizer) {
    timer_.Enter(Phase::kReduce);
    gradient_sum_.ShareOut(replica_.parameters().values());
    timer_.Enter(Phase::kOptimizer);
  }
  // Weight decay moves what has no gradient, too.
  for (const Frozen& part : frozen_) {
    std::ranges::copy(part.values, replica_.parameters().values().begin() + part.offset);
  }
  replica_.averaging.Update(replica_.parameters().values());

  timer_.Enter(Phase::kOther);
  ++position.step;
  // The first one that there is: lanes may begin with nothing to predict.
  if (position.predictions == 0) position.first_loss = totals.loss / weight_or_one;
  position.validation = {};
  position.predictions += static_cast<int64_t>(totals.weight);
  if (totals.weight > 0.0) position.loss = totals.loss / totals.weight;
  position.gradient_norm = norm;
  position.learning_rate = rate;
  position.predictions_per_second =
      totals.weight / std::chrono::duration<double>(Clock::now() - start).count();
  JudgeStep();
  return totals;
}

// Of the sum over ranks. Where each has its shares of it alone, their squares are summed in the
// order in which one rank would sum them.
double TrainLoop::GradientNorm() {
  const auto gradient = std::as_const(replica_).parameters().gradient();
  std::vector<double> squares = worker::BlockSquares(gradient, replica_.optimizer.ranges());
  if (replica_.shards_optimizer) communicator_.Sum(squares);
  return worker::NormOfBlocks(squares);
}

// Sums of losses and gradients over this rank's lanes and the batches of one update. Returns the
// loss, its weight and what the learning rate is multiplied by. Between two batches the ranks agree
// whether to stop: then all is put back to where it was.
std::optional<double> TrainLoop::AccumulateGradient(double* weight, double* rate_factor) {
  Position& position = replica_.position;
  const Position start = position;
  const int64_t batches =
      std::min<int64_t>(config_.training().accumulate_batches(), task_.batches() - position.batch);
  worker::RecurrentState state;
  if (batches > 1) state = replica_.state;
  replica_.parameters().ClearGradient();
  const worker::GradientReady ready = [this](int64_t offset) { gradient_sum_.Ready(offset); };
  double loss = 0.0;
  // An update does not reach into the next epoch.
  for (int64_t i = 0; i < batches; ++i) {
    if (i > 0 && AnyRankStops()) {
      position = start;
      replica_.state = std::move(state);
      console_.Info(fmt::format("stopped in step {} behind {} of its {} batches, to be done again",
                                position.step + 1, i, batches));
      return std::nullopt;
    }
    timer_.Enter(Phase::kData);
    const BatchPlace place = {config_.training().seed(), position.epoch, position.batch,
                              position.total_batches};
    *weight += task_.Read(place);
    *rate_factor += task_.RateFactor();

    timer_.Enter(Phase::kForward);
    loss += task_.Forward(place, replica_.state);

    timer_.Enter(Phase::kBackward);
    // Gradients of the last batch leave as they become final, behind what is still computed.
    const bool leaves = gradient_leaves_early_ && i + 1 == batches;
    task_.Backward(leaves ? ready : worker::GradientReady());
    Advance();
  }
  *rate_factor /= static_cast<double>(batches);
  return loss;
}

// To the next batch; a new epoch starts from a zero state.
void TrainLoop::Advance() {
  Position& position = replica_.position;
  ++position.total_batches;
  if (++position.batch < task_.batches()) return;
  position.batch = 0;
  ++position.epoch;
  replica_.state = task_.ZeroState(replica_.lanes.count());
}

// Sums over all ranks, and the decisions that all must take together.
TrainLoop::StepTotals TrainLoop::Reduce(double loss, double weight) {
  timer_.Enter(Phase::kReduce);
  gradient_sum_.Finish();
  std::array<double, 5> sums = {loss, weight, StopSignal() != 0 ? 1.0 : 0.0,
                                SaveDueByTime() ? 1.0 : 0.0, checkpointer_.HasEnded() ? 1.0 : 0.0};
  communicator_.Sum(std::span<double>(sums));
  return {sums[0], sums[1], sums[2] > 0.0, sums[3] > 0.0, sums[4] > 0.0};
}

// What is being written may be the last good checkpoint. That it cannot be does not hide the error.
void TrainLoop::EndSaveBeforeError() const {
  try {
    checkpointer_.TryEndSave();
  } catch (const AgreedError& error) {
    console_.Warn(error.what());
  }
}

void TrainLoop::RequireFinite(double value, const char* what, int64_t step) const {
  if (std::isfinite(value)) return;
  EndSaveBeforeError();
  throw AgreedError(
      fmt::format(
          "training diverged: the {} is {} at step {}. {} Lower optimizer.learning_rate or "
          "optimizer.clip.global_norm, or add optimizer.schedule.warmup_steps, and start again.",
          what, std::isnan(value) ? "not a number" : "infinite", step,
          checkpointer_.DescribeLastGood()),
      kDiverged);
}

bool TrainLoop::IsHopeless(double loss) const {
  return loss > task_.HopelessLoss(replica_.position.first_loss);
}

void TrainLoop::EndDiverged(double loss, const std::string& how_long) const {
  EndSaveBeforeError();
  throw AgreedError(
      fmt::format(
          "training diverged: the loss is {:.4g} at step {} and has been above {:.4g} {}. {} "
          "Lower optimizer.learning_rate or "
          "optimizer.clip.global_norm, or add optimizer.schedule.warmup_steps, and start "
          "again.",
          loss, replica_.position.step, task_.HopelessLoss(replica_.position.first_loss), how_long,
          checkpointer_.DescribeLastGood()),
      kDiverged);
}

void TrainLoop::JudgeStep() {
  Position& position = replica_.position;
  position.bad_steps = IsHopeless(position.loss) ? position.bad_steps + 1 : 0;
  if (position.bad_steps >= MostBadSteps(length_.total_steps)) {
    EndDiverged(position.loss, fmt::format("for {} steps", position.bad_steps));
  }
}

// A run that ends so has not trained anything, however short that has been so, unless an evaluation
// says that its last steps were no more than a spike.
void TrainLoop::JudgeEnd() const {
  const Position& position = replica_.position;
  if (position.bad_steps == 0) return;
  const bool evaluated = position.evaluated_step == position.step;
  if (evaluated && !IsHopeless(position.validation.loss())) return;
  EndDiverged(position.loss, fmt::format("in the last {} steps of the run", position.bad_steps));
}

bool TrainLoop::EvaluationDue() const {
  const Position& position = replica_.position;
  if (!evaluate_ || position.step == 0 || position.evaluated_step == position.step) return false;
  const int64_t every = config_.evaluation().every_steps();
  return Finished() || (every > 0 && position.step % every == 0);
}

// False when a stop signal cut the evaluation short: then it is still due, and goes on from there.
bool TrainLoop::EvaluateNow() {
  const proto::Evaluation& config = config_.evaluation();
  const auto measurement = task_.Measure(config.split(), config.most_tokens(), false);
  // Another build may have measured less or more.
  if (replica_.evaluation.sums.size() != measurement->sums()) replica_.evaluation = {};
  if (replica_.evaluation.batch > 0) {
    console_.Info(fmt::format("step {}: its evaluation goes on behind {} of {} batches",
                              replica_.position.step, replica_.evaluation.batch,
                              measurement->batches()));
  }
  while (true) {
    timer_.Enter(Phase::kEvaluation);
    const bool done = EvaluateOnAverages(*measurement);
    if (done && measurement->Weight(replica_.evaluation.sums) == 0.0) {
      replica_.evaluation = {};
      replica_.position.evaluated_step = replica_.position.step;
      console_.Warn(
          fmt::format("step {}: split \"{}\" has nothing to measure in what is read of it",
                      replica_.position.step, config.split()));
      timer_.Enter(Phase::kOther);
      return true;
    }
    if (done) {
      MetricValues values;
      std::ranges::copy(measurement->Finish(replica_.evaluation.sums), values.values.begin());
      replica_.evaluation = {};
      Observe(values);
      timer_.Enter(Phase::kOther);
      return true;
    }
    if (AnyRankStops()) return false;
    TrySave(Checkpointer::What::kStep);
  }
}

// The averages are what predicts, where there are any. The trained weights are back at the end.
bool TrainLoop::EvaluateOnAverages(Measurement& measurement) {
  const auto weights = replica_.parameters().values();
  replica_.averaging.Swap(weights);
  const bool done = Evaluate(
      communicator_, measurement, task_.ZeroState(replica_.lanes.count()), replica_.evaluation,
      [this] { return StopSignal() != 0 || SaveDueByTime(); },
      [this](double share) { console_.Live(fmt::format("evaluating {:.0f}%", 100 * share)); });
  replica_.averaging.Swap(weights);
  return done;
}

bool TrainLoop::AnyRankStops() {
  timer_.Enter(Phase::kReduce);
  std::array<double, 1> stop = {StopSignal() != 0 ? 1.0 : 0.0};
  communicator_.Max(stop);
  return stop[0] > 0.0;
}

void TrainLoop::Observe(const MetricValues& values) {
  Position& position = replica_.position;
  const double loss = values.loss();
  RequireFinite(loss, "validation loss", position.step);
  position.evaluated_step = position.step;
  position.validation = values;
  replica_.schedule.Observe(loss);
  if (replica_.averaging.Observe(loss)) {
    console_.Info(fmt::format(
        "step {}: the validation loss has not improved for long: averaging of the weights begins",
        position.step));
  }
  // A validation split may be hard for a model that trains well.
  const bool hopeless = position.bad_steps > 0 && IsHopeless(loss);
  const double value = values.values[best_metric_];
  const bool better = !hopeless && IsBest(value);
  console_.Info(fmt::format(
      "step {}: {}{}", position.step, DescribeMetrics(values),
      better     ? ", the best so far"
      : hopeless ? ", as of a training that has diverged"
                 : fmt::format(" (best {:.4f} at step {})", position.best, position.best_step)));
  WriteSample();
  if (!better) {
    ++position.evaluations_without_improvement;
    return;
  }
  position.best = value;
  position.best_step = position.step;
  position.evaluations_without_improvement = 0;
  TrySave(save_waits_until_ ? Checkpointer::What::kBestAndStep : Checkpointer::What::kBest);
}

// Rank 0 alone writes; the others wait for it in what they do together next.
void TrainLoop::WriteSample() {
  if (!communicator_.is_root()) return;
  const auto weights = replica_.parameters().values();
  const int64_t step = replica_.position.step;
  // Odd, so that steps of one run and runs of other seeds draw other numbers.
  constexpr uint64_t kOfStep = 0x9E3779B97F4A7C15;
  replica_.averaging.Swap(weights);
  const std::string text =
      task_.WriteSample(config_.training().seed() + kOfStep * static_cast<uint64_t>(step));
  replica_.averaging.Swap(weights);
  if (!text.empty()) console_.Info(fmt::format("step {}: a sample:\n----\n{}\n----", step, text));
}

bool TrainLoop::IsBest(double value) const {
  const Position& position = replica_.position;
  if (std::isnan(value)) return false;  // nothing to measure it on
  if (position.best_step == 0) return true;
  const double least = config_.evaluation().early_stopping().minimum_improvement();
  return task_.metrics()[best_metric_].higher_is_better ? value > position.best + least
                                                        : value < position.best - least;
}

// "validation loss 1.4638, 2.112 bits/char, ...": what the loss means says more than a second
// number for it.
std::string TrainLoop::DescribeMetrics(const MetricValues& values) const {
  std::string text = fmt::format("validation loss {:.4f}", values.loss());
  const std::string meaning = task_.DescribeLoss(values.loss());
  if (!meaning.empty()) return text + ", " + meaning;
  for (size_t i = 1; i < task_.metrics().size(); ++i) {
    if (std::isnan(values.values[i])) continue;
    text += fmt::format(", {} {:.4f}", task_.metrics()[i].name, values.values[i]);
  }
  return text;
}

bool TrainLoop::PatienceIsOver() const {
  const int patience = config_.evaluation().early_stopping().patience();
  return patience > 0 && replica_.position.evaluations_without_improvement >= patience;
}

// By steps.
bool TrainLoop::CheckpointDue() const {
  const int64_t every = config_.checkpoint().every_steps();
  return every > 0 && replica_.position.step % every == 0 && !checkpointer_.retrying();
}

bool TrainLoop::SaveDueByTime() const {
  if (replica_.position.bad_steps > 0) return false;
  if (save_waits_until_) return communicator_.is_root() && Clock::now() > *save_waits_until_;
  return checkpointer_.Due();
}

void TrainLoop::TrySave(Checkpointer::What what) {
  timer_.Enter(Phase::kCheckpoint);
  checkpointer_.TrySave(replica_, what);
  timer_.Enter(Phase::kOther);
  if (what != Checkpointer::What::kBest) save_waits_until_.reset();
}

void TrainLoop::TryEndSave() {
  timer_.Enter(Phase::kCheckpoint);
  checkpointer_.TryEndSave();
  timer_.Enter(Phase::kOther);
}

void TrainLoop::WriteMetrics() {
  if (!metrics_) return;
  const Position& position = replica_.position;
  // The epoch that the step belonged to, counted from 1; `epoch` may have moved on already.
  const int64_t epoch = (position.step - 1) / length_.steps_per_epoch + 1;
  io::StepMetrics line = {position.step,          epoch,
                          position.loss,          position.gradient_norm,
                          position.learning_rate, position.predictions_per_second,
                          task_.unit(),           {}};
  for (size_t i = 0; i < task_.metrics().size(); ++i) {
    const double value = position.validation.values[i];
    if (!std::isnan(value)) line.validation.emplace_back(task_.metrics()[i].name, value);
  }
  metrics_->Write(line);
}

}  // namespace lockstep::trainer
