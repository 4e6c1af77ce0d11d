#ifndef LOCKSTEP_TRAINER_TASKS_TASK_H_
#define LOCKSTEP_TRAINER_TASKS_TASK_H_

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "io/checkpoints/checkpoint.h"
#include "proto/run_config.h"
#include "trainer/data/lane_range.h"
#include "trainer/tasks/dynamic_options.h"
#include "worker/models/model.h"

namespace lockstep::trainer {

/// This process among the ranks of the job.
struct RankPlace {
  int rank = 0;
  int ranks = 1;
};

/// A figure that an evaluation brings. `name` is one word in lower case: metrics.jsonl has it as
/// "validation_" + name.
struct MetricFacts {
  std::string name;
  bool higher_is_better = false;
};

/// Most metrics that a task may have.
inline constexpr int kMostMetrics = 8;

/// Where a training stands that asks for a batch.
struct BatchPlace {
  uint64_t seed = 0;
  int64_t epoch = 0;
  int64_t batch = 0;          ///< of this epoch, from 0
  int64_t total_batches = 0;  ///< since the start; names what is drawn at random
};

/// What a model of some size takes.
struct ModelSize {
  int64_t parameters = 0;
  int64_t working_bytes = 0;  ///< activations of a batch of this rank
  /// How many floats of the arrays of the state that is carried from one batch to the next belong
  /// to one lane; 0 where every batch starts anew.
  int64_t state_floats = 0;
  int64_t largest_state_floats = 0;  ///< of one of these arrays
};

/// Of a model that has no memory yet, for batches of so many lanes.
ModelSize SizeOf(const worker::Model& empty, int64_t time_steps, int64_t lanes);

/// One pass over a split that measures a model; its order and its figures do not depend on the
/// number of ranks.
class Measurement {
 public:
  virtual ~Measurement() = default;

  /// How many batches all ranks take together.
  virtual int64_t batches() const = 0;
  /// How many numbers Batch writes; the same on every rank.
  virtual size_t sums() const = 0;
  /// Measures this rank's lanes of a batch: `state` is moved on, without dropout. What is written
  /// to `sums` is added over batches and ranks.
  virtual void Batch(int64_t batch, worker::RecurrentState& state, std::span<double> sums) = 0;
  /// What was measured, from the sums over everything: the values of the task's metrics, in their
  /// order.
  virtual std::vector<double> Finish(std::span<const double> sums) const = 0;
  /// How many predictions were measured; 0: there is nothing to say.
  virtual double Weight(std::span<const double> sums) const = 0;
  /// The same for `lockstep evaluate`: an object for a program, a sentence for a person.
  virtual nlohmann::ordered_json Json(std::span<const double> sums) const = 0;
  virtual std::string Sentence(std::span<const double> sums) const = 0;
};

/// All that differs between a language model and a forecaster: what is read, how batches come from
/// it, what is trained, what is measured and what is kept to predict with. The loop, the
/// checkpointer, progress, resume and stop know this class only. One thread of one rank calls;
/// nothing here is collective. Losses are sums, so that ranks can add them.
class Task {
 public:
  virtual ~Task() = default;

  // What it reads.

  virtual const std::filesystem::path& data_path() const = 0;
  /// Of the dataset: what a training sees of it.
  virtual const std::string& fingerprint() const = 0;
  /// Lays out the split to train on. UsageError where it holds too little. What is said of batches
  /// below needs it; to measure and to predict does not.
  virtual void PrepareTraining() = 0;
  /// Batches of an epoch, the same on every rank.
  virtual int64_t batches() const = 0;
  /// What weights and speeds count: "tokens".
  virtual const char* unit() const = 0;
  /// One line for a person: what there is to train on.
  virtual std::string DescribeData() const = 0;

  // What it trains.

  /// One line for a person.
  virtual std::string DescribeModel() const = 0;
  /// Before any of it is allocated.
  virtual ModelSize Size() const = 0;
  /// Makes the model, all its parameters zero. What follows needs it.
  virtual void Allocate(worker::Pass pass) = 0;
  virtual worker::Model& model() const = 0;
  worker::Parameters& parameters() const { return model().parameters(); }
  /// The state before the first batch of an epoch; without parts where batches start anew.
  worker::RecurrentState ZeroState(int64_t lanes) const { return model().ZeroState(lanes); }

  /// Of a new training: overwrites rows of embeddings with the vectors of the files that the
  /// configuration names. Returns what to tell a person, a line each. UsageError; io's errors.
  std::vector<std::string> LoadPretrained();
  /// Of a new training, after that: overwrites parameters with those of a finished model, whose
  /// shapes must be the same; unless a task says otherwise, its vocabularies, too. Returns what to
  /// tell a person, a line each. UsageError; io's errors.
  virtual std::vector<std::string> StartFrom(const io::CheckpointReader& checkpoint);
  /// Indices of parameters that stay as they are.
  std::vector<int> frozen() const;
  /// The embedding, where the parameters begin with it: of its gradient's rows a batch touches some
  /// only. nullptr where they do not.
  const worker::Parameter* leading_embedding() const;

  /// Reads this rank's lanes of a batch, until the next call. Returns their weight: the number of
  /// their predictions. io's errors.
  virtual double Read(const BatchPlace& place) = 0;
  /// What the learning rate of a step is multiplied by (the mean over its batches), for what was
  /// read.
  virtual double RateFactor() const { return 1.0; }
  /// The sum of the losses of what was read; moves `state` on.
  virtual double Forward(const BatchPlace& place, worker::RecurrentState& state) = 0;
  /// Adds the gradients of that sum. A rank that has read nothing may say of none that it is ready.
  virtual void Backward(const worker::GradientReady& ready) { model().Backward(ready); }

  // What it measures.

  /// At most kMostMetrics, "loss" first: the mean loss of a prediction.
  virtual const std::vector<MetricFacts>& metrics() const = 0;
  /// Whether a split has anything to measure. UsageError when there is no such split.
  virtual bool CanMeasure(const std::string& split) const = 0;
  /// About `most` predictions, the same ones on any number of ranks and spread over the split; 0:
  /// all. With `full` it measures all that `lockstep evaluate` reports, else the task's metrics
  /// only. Must not outlive the task.
  virtual std::unique_ptr<Measurement> Measure(const std::string& split, int64_t most,
                                               bool full) = 0;
  /// The same for a model that goes on learning while it is measured, on a single rank; the task
  /// was opened with ForDynamicEvaluation and allocated with a gradient. UsageError where a task
  /// has no such thing.
  virtual std::unique_ptr<Measurement> MeasureDynamically(const io::CheckpointReader& checkpoint,
                                                          const DynamicOptions& options,
                                                          const std::string& split, int64_t most);
  /// What the model makes of nothing, for a person to read, as long as the configuration asks for;
  /// "" where it does not, or the task has no such thing.
  virtual std::string WriteSample(uint64_t /*seed*/) { return ""; }
  /// A mean loss in the unit that people compare: "2.643 bits/char"; may be empty.
  virtual std::string DescribeLoss(double loss) const = 0;
  /// A mean loss above this is one of a training that has diverged, if it lasts. `first_loss` is
  /// that of the first step.
  virtual double HopelessLoss(double first_loss) const = 0;

  // How it predicts.

  /// The command that does: `lockstep sample CHECKPOINT`.
  virtual const char* prediction_command() const = 0;

  // What a checkpoint keeps.

  /// Adds what predictions need beside parameters and configuration.
  virtual void Store(io::CheckpointHeader& header) const = 0;
  /// From now on the numbers that the model takes and gives mean what they did to the model of this
  /// checkpoint. UsageError where its model does not speak of what the dataset has. `origin` names
  /// the checkpoint.
  virtual void Adopt(const io::CheckpointHeader& header, const std::string& origin) = 0;

 protected:
  /// A parameter [V or more, E] whose rows stand for the tokens of a vocabulary.
  struct Embedding {
    const char* told_as;  ///< before what is told of it: "source: "
    std::string vectors;  ///< the file that it begins with; empty: with none
    const io::Vocabulary* vocabulary;
    int parameter;
  };
  virtual std::vector<Embedding> embeddings() const { return {}; }
  /// Whether those that begin with a file stay as they are.
  virtual bool freezes_pretrained() const { return false; }
};

/// Opens the dataset of the configuration's task for this rank. UsageError where it does not fit
/// the configuration; io's errors. Not collective.
std::unique_ptr<Task> OpenTask(const proto::RunConfig& config, const RankPlace& place);

}  // namespace lockstep::trainer

#endif  // LOCKSTEP_TRAINER_TASKS_TASK_H_
