#include <cmath>
#include <numbers>
#include <optional>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "io/datasets/dataset.h"
#include "trainer/commands/commands.h"
#include "trainer/ranks/rank_threads.h"
#include "trainer/ranks/stop_signal.h"
#include "trainer/run/evaluation.h"
#include "trainer/run/progress.h"
#include "trainer/tasks/trained_model.h"
#include "trainer/terminal/output.h"

namespace lockstep::trainer {
namespace {

// The split to evaluate on, checked against the checkpoint and the number of ranks.
io::Split CheckedSplit(const EvaluateArguments& arguments, const TrainedModel& trained,
                       const io::Dataset& dataset, int ranks) {
  const std::string file = dataset.path().string();
  if (!(dataset.vocabulary() == trained.vocabulary)) {
    throw UsageError(
        fmt::format("{}: its vocabulary is not the one that {} was trained with, so its numbers "
                    "would mean other tokens. Evaluate on a dataset of "
                    "the same import.",
                    file, arguments.checkpoint.string()));
  }
  if (arguments.data.empty() && dataset.fingerprint() != trained.dataset_fingerprint) {
    throw UsageError(fmt::format(
        "{}: has changed since {} was trained on it (fingerprint {}, then {}). Bring back the old "
        "dataset, or name this one with --data.",
        file, arguments.checkpoint.string(), dataset.fingerprint(), trained.dataset_fingerprint));
  }
  const io::Split split = dataset.split(arguments.split);
  if (split.size() < 2) {
    throw UsageError(
        fmt::format("{}: split \"{}\" holds nothing to predict. Choose another with --split, or "
                    "import with other shares.",
                    file, split.name));
  }
  if (ranks > trained.config.data().lanes()) {
    throw UsageError(fmt::format("{} ranks for {} lanes: start at most {} ranks.", ranks,
                                 trained.config.data().lanes(), trained.config.data().lanes()));
  }
  return split;
}

void Report(const EvaluateArguments& arguments, const TrainedModel& trained,
            const EvaluationResult& result) {
  const io::TokenKind kind = trained.vocabulary.kind();
  if (!arguments.json) {
    Tell(fmt::format(
        "{} at step {}, split {}: {} tokens, loss {:.6f} nats a token, {:.4f} bits, "
        "perplexity {:.4f} (unit: {})\n",
        arguments.checkpoint.string(), trained.step, arguments.split, result.tokens, result.loss,
        result.loss / std::numbers::ln2, std::exp(result.loss), io::TokenKindName(kind)));
    return;
  }
  nlohmann::ordered_json json;
  json["checkpoint"] = arguments.checkpoint.string();
  json["step"] = trained.step;
  json["split"] = arguments.split;
  json["unit"] = io::TokenKindName(kind);
  json["tokens"] = result.tokens;
  json["loss"] = result.loss;
  json["bits"] = result.loss / std::numbers::ln2;
  json["perplexity"] = std::exp(result.loss);
  WriteJson(json);
}

}  // namespace

ExitStatus EvaluateCheckpoint(Communicator& communicator, const EvaluateArguments& arguments) {
  Console console(!communicator.is_root(), arguments.progress);
  std::optional<TrainedModel> trained;
  std::optional<io::Dataset> dataset;
  io::Split split;
  communicator.Together([&] {
    trained = LoadTrainedModel(arguments.checkpoint);
    dataset.emplace(io::Dataset::Open(arguments.data.empty()
                                          ? std::filesystem::path(trained->config.data().path())
                                          : arguments.data));
    split = CheckedSplit(arguments, *trained, *dataset, communicator.size());
  });
  communicator.RequireSame(dataset->fingerprint(),
                           "the fingerprint of " + dataset->path().string());
  communicator.RequireSame(std::to_string(trained->step),
                           "the step of " + arguments.checkpoint.string());
  ChooseThreads(communicator, console, trained->config.training().threads());
  const proto::Data& data = trained->config.data();
  const LaneLayout layout(split, data.lanes(), data.time_steps(), arguments.most_tokens);
  Lanes reader(*dataset, layout,
               LanesOfRank(data.lanes(), communicator.rank(), communicator.size()));
  PartialEvaluation partial;
  const auto result = Evaluate(
      communicator, *trained->model, reader, partial, [] { return StopSignal() != 0; },
      [&](double share) { console.Live(fmt::format("evaluating {:.0f}%", 100 * share)); });
  console.EndLive();
  if (!result) throw AgreedError("the evaluation was stopped by a signal", kFailed);
  communicator.OnRoot([&] { Report(arguments, *trained, *result); });
  return kDone;
}

}  // namespace lockstep::trainer
