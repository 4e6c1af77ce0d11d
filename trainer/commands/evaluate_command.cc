#include <cmath>
#include <memory>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "io/checkpoints/checkpoint.h"
#include "trainer/commands/commands.h"
#include "trainer/ranks/rank_threads.h"
#include "trainer/ranks/stop_signal.h"
#include "trainer/run/checkpoint_contents.h"
#include "trainer/run/evaluation.h"
#include "trainer/tasks/language_model/dynamic_evaluation.h"
#include "trainer/tasks/task.h"
#include "trainer/terminal/output.h"

namespace lockstep::trainer {
namespace {

// A checkpoint's model, on a dataset on which it can be measured.
struct Trained {
  std::unique_ptr<Task> task;
  std::unique_ptr<Measurement> measurement;
  proto::RunConfig config;
  int64_t step = 0;
  bool averaged = false;  // the checkpoint has averages of the weights
};

Trained Load(const EvaluateArguments& arguments, const RankPlace& place) {
  const std::string origin = arguments.checkpoint.string();
  const io::CheckpointReader reader(arguments.checkpoint);
  const io::CheckpointHeader& header = reader.header();
  Trained trained;
  trained.step = header.step;
  trained.config = proto::ParseRunConfig(header.configuration, origin);
  const DynamicOptions& dynamic = arguments.dynamic;
  if (dynamic.on()) {
    if (place.ranks > 1) {
      throw UsageError(
          fmt::format("--dynamic: a model that learns on reads the split from its "
                      "beginning to its end: start 1 rank, not {} ranks.",
                      place.ranks));
    }
    trained.config = ForDynamicEvaluation(trained.config, dynamic);
  }
  proto::Data& data = *trained.config.mutable_data();
  if (!arguments.data.empty()) data.set_path(arguments.data.string());
  if (place.ranks > data.lanes()) {
    throw UsageError(fmt::format("{} ranks for {} lanes: start at most {} ranks.", place.ranks,
                                 data.lanes(), data.lanes()));
  }
  trained.task = OpenTask(trained.config, place);
  Task& task = *trained.task;
  task.Adopt(header, origin);
  if (arguments.data.empty() && task.fingerprint() != header.dataset_fingerprint) {
    throw UsageError(fmt::format(
        "{}: has changed since {} was trained on it (fingerprint {}, then {}). Bring back the old "
        "dataset, or name this one with --data.",
        data.path(), origin, task.fingerprint(), header.dataset_fingerprint));
  }
  if (!task.CanMeasure(arguments.split)) {
    throw UsageError(
        fmt::format("{}: split \"{}\" holds nothing to predict. Choose another with --split, or "
                    "import with other shares.",
                    data.path(), arguments.split));
  }
  task.Allocate(dynamic.on() ? worker::Pass::kForwardAndBackward : worker::Pass::kForward);
  trained.averaged = PredictingGroup(reader) != kTrainedGroup;
  if (arguments.trained_weights) {
    if (!trained.averaged) {
      throw UsageError(
          fmt::format("{}: has no averages of its weights: leave --trained-weights out.", origin));
    }
    LoadTrainedParameters(reader, task.parameters());
  } else {
    LoadParameters(reader, task.parameters());
  }
  const int64_t most = arguments.most_tokens;
  trained.measurement = dynamic.on()
                            ? task.MeasureDynamically(reader, dynamic, arguments.split, most)
                            : task.Measure(arguments.split, most, true);
  return trained;
}

void Report(const EvaluateArguments& arguments, const Trained& trained,
            const std::vector<double>& sums) {
  const Measurement& measurement = *trained.measurement;
  const DynamicOptions& dynamic = arguments.dynamic;
  const char* const weights = arguments.trained_weights ? "trained" : "averages";
  if (!arguments.json) {
    Tell(fmt::format("{} at step {}{}, split {}: {}{}\n", arguments.checkpoint.string(),
                     trained.step,
                     !trained.averaged           ? ""
                     : arguments.trained_weights ? " (the trained weights)"
                                                 : " (averages of the weights)",
                     arguments.split, measurement.Sentence(sums),
                     dynamic.on() ? fmt::format("; learning on, rate {}, decay {}, {} tokens at a "
                                                "time",
                                                dynamic.rate, dynamic.decay, dynamic.segment)
                                  : ""));
    return;
  }
  nlohmann::ordered_json json = {{"checkpoint", arguments.checkpoint.string()},
                                 {"step", trained.step},
                                 {"split", arguments.split}};
  if (trained.averaged) json["weights"] = weights;
  if (dynamic.on()) {
    json["dynamic"] = {
        {"rate", dynamic.rate}, {"decay", dynamic.decay}, {"segment", dynamic.segment}};
  }
  json.update(measurement.Json(sums));
  WriteJson(json);
}

}  // namespace

ExitStatus EvaluateCheckpoint(Communicator& communicator, const EvaluateArguments& arguments) {
  Console console(!communicator.is_root(), arguments.progress);
  Trained trained;
  communicator.Together([&] {
    trained = Load(arguments, {communicator.rank(), communicator.size()});
  });
  Task& task = *trained.task;
  communicator.RequireSame(task.fingerprint(), "the fingerprint of " + task.data_path().string());
  communicator.RequireSame(std::to_string(trained.step),
                           "the step of " + arguments.checkpoint.string());
  ChooseThreads(communicator, console, trained.config.training().threads());
  const LaneRange lanes =
      LanesOfRank(trained.config.data().lanes(), communicator.rank(), communicator.size());
  PartialEvaluation partial;
  const bool done = Evaluate(
      communicator, *trained.measurement, task.ZeroState(lanes.count()), partial,
      [] { return StopSignal() != 0; },
      [&](double share) { console.Live(fmt::format("evaluating {:.0f}%", 100 * share)); });
  console.EndLive();
  if (!done) throw AgreedError("the evaluation was stopped by a signal", kFailed);
  const bool learns = arguments.dynamic.on();  // a language model, whose loss has a perplexity
  if (learns && !std::isfinite(std::exp(trained.measurement->Finish(partial.sums)[0]))) {
    throw AgreedError(
        fmt::format("the model diverged while it learnt on with --dynamic {}: lower the rate.",
                    arguments.dynamic.rate),
        kDiverged);
  }
  communicator.OnRoot([&] { Report(arguments, trained, partial.sums); });
  return kDone;
}

}  // namespace lockstep::trainer
