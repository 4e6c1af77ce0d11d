#include "trainer/run/checkpoint_contents.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <set>
#include <span>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "trainer/exit_status.h"

namespace lockstep::trainer {
namespace {

std::vector<uint64_t> Unsigned(const std::vector<int64_t>& shape) {
  return {shape.begin(), shape.end()};
}

std::vector<uint64_t> ShapeOf(const worker::RecurrentState& state,
                              const std::vector<float>& values) {
  return Unsigned({state.layers, state.lanes, state.width(values)});
}

// Reads the tensor of this name, checked to have this shape, into `out`.
void Read(const io::CheckpointReader& checkpoint, const std::string& name,
          const std::vector<uint64_t>& shape, std::span<float> out) {
  const std::string origin = checkpoint.path().string();
  const std::optional<std::vector<uint64_t>> found = checkpoint.Shape(name);
  if (!found) {
    throw UsageError(
        fmt::format("{}: is of another model: it holds no {}. Use the configuration that it was "
                    "trained with, or another training.folder.",
                    origin, name));
  }
  if (*found != shape) {
    throw UsageError(
        fmt::format("{}: is of another model: {} is [{}], here it is [{}]. Use the configuration "
                    "and the dataset that it was trained with.",
                    origin, name, fmt::join(*found, ", "), fmt::join(shape, ", ")));
  }
  checkpoint.Read(name, out);
}

// Calls visit(name, value) for every number of a position that files have always had: written once,
// read and stored alike.
template <class PositionType, class VisitCounter, class VisitMeasure>
void VisitNumbers(PositionType& p, VisitCounter&& counter, VisitMeasure&& measure) {
  counter("step", p.step);
  counter("epoch", p.epoch);
  counter("batch", p.batch);
  counter("total_batches", p.total_batches);
  counter("tokens", p.predictions);  // the name is older than other tasks
  counter("evaluated_step", p.evaluated_step);
  counter("best_step", p.best_step);
  counter("evaluations_without_improvement", p.evaluations_without_improvement);
  measure("best_validation_loss", p.best);
  measure("validation_loss", p.validation.values[0]);
  measure("loss", p.loss);
  measure("gradient_norm", p.gradient_norm);
  measure("learning_rate", p.learning_rate);
  measure("tokens_per_second", p.predictions_per_second);
}

// Of the validation losses that a trigger of averaging remembers, the oldest first.
std::string RecentName(size_t k) { return fmt::format("averaging_recent_{}", k); }

// Of an evaluation under way.
std::string SumName(size_t k) {
  return k == 0 ? "evaluation_loss" : fmt::format("evaluation_sum_{}", k);
}

// The number of that name, which files of older versions do not have.
template <class Value>
Value AtOr(const std::map<std::string, Value>& numbers, const char* name, Value otherwise) {
  const auto found = numbers.find(name);
  return found != numbers.end() ? found->second : otherwise;
}

// The number of that name. UsageError where a file of another build has none.
template <class Value>
Value At(const std::map<std::string, Value>& numbers, const std::string& name,
         const std::string& origin) {
  const auto found = numbers.find(name);
  if (found != numbers.end()) return found->second;
  throw UsageError(fmt::format(
      "{}: holds no {}: it was written by another version of lockstep. Go on with that version, or "
      "start anew in another training.folder.",
      origin, name));
}

}  // namespace

void StorePosition(const Replica& replica, io::CheckpointHeader& header) {
  header.step = replica.position.step;
  VisitNumbers(
      replica.position, [&](const char* name, int64_t value) { header.counters[name] = value; },
      [&](const char* name, double value) { header.measures[name] = value; });
  header.counters["optimizer_steps"] = replica.optimizer.steps();
  const worker::PlateauState& plateau = replica.schedule.plateau();
  header.counters["plateau_bad_evaluations"] = plateau.bad_evaluations;
  header.measures["plateau_best"] = plateau.best;
  header.measures["plateau_factor"] = plateau.factor;
  if (replica.averaging.enabled()) {
    const worker::AveragingState& averaging = replica.averaging.state();
    header.counters["averaging_count"] = averaging.count;
    header.counters["averaging_begun"] = averaging.begun ? 1 : 0;
    header.measures["averaging_least"] = averaging.least;
    for (size_t k = 0; k < averaging.recent.size(); ++k) {
      header.measures[RecentName(k)] = averaging.recent[k];
    }
  }
  header.counters["bad_steps"] = replica.position.bad_steps;
  header.measures["first_loss"] = replica.position.first_loss;
  header.counters["evaluation_batch"] = replica.evaluation.batch;
  const std::vector<double>& sums = replica.evaluation.sums;
  for (size_t k = 0; k < sums.size(); ++k) header.measures[SumName(k)] = sums[k];
  const std::vector<MetricFacts>& metrics = replica.task.metrics();
  for (size_t i = 1; i < metrics.size(); ++i) {
    header.measures["validation_" + metrics[i].name] = replica.position.validation.values[i];
  }
}

int64_t CounterOf(const io::CheckpointHeader& header, const std::string& name,
                  const std::string& origin) {
  return At(header.counters, name, origin);
}

void LoadPosition(const io::CheckpointHeader& header, const std::string& origin, Replica& replica) {
  const auto counter = [&](const char* name) { return CounterOf(header, name, origin); };
  const auto measure = [&](const char* name) { return At(header.measures, name, origin); };
  VisitNumbers(
      replica.position, [&](const char* name, int64_t& value) { value = counter(name); },
      [&](const char* name, double& value) { value = measure(name); });
  replica.optimizer.set_steps(counter("optimizer_steps"));
  replica.schedule.set_plateau(
      {measure("plateau_factor"), measure("plateau_best"), counter("plateau_bad_evaluations")});
  if (replica.averaging.enabled()) {
    worker::AveragingState averaging = {counter("averaging_count"),
                                        counter("averaging_begun") != 0,
                                        measure("averaging_least"),
                                        {}};
    for (size_t k = 0; header.measures.contains(RecentName(k)); ++k) {
      averaging.recent.push_back(header.measures.at(RecentName(k)));
    }
    replica.averaging.set_state(averaging);
  }
  replica.position.bad_steps = AtOr<int64_t>(header.counters, "bad_steps", 0);
  replica.position.first_loss = AtOr(header.measures, "first_loss", 0.0);
  replica.evaluation.batch = AtOr<int64_t>(header.counters, "evaluation_batch", 0);
  replica.evaluation.sums.clear();
  if (replica.evaluation.batch > 0) {
    for (size_t k = 0; header.measures.contains(SumName(k)); ++k) {
      replica.evaluation.sums.push_back(header.measures.at(SumName(k)));
    }
  }
  const std::vector<MetricFacts>& metrics = replica.task.metrics();
  for (size_t i = 1; i < metrics.size(); ++i) {
    replica.position.validation.values[i] =
        AtOr(header.measures, ("validation_" + metrics[i].name).c_str(),
             std::numeric_limits<double>::quiet_NaN());
  }
}

std::vector<std::span<const float>> ViewSlots(const worker::Optimizer& optimizer) {
  std::vector<std::span<const float>> views;
  for (const auto& slot : optimizer.slots()) {
    views.emplace_back(slot.values.data(), static_cast<size_t>(optimizer.size()));
  }
  return views;
}

std::vector<std::span<float>> MutableSlots(worker::Optimizer& optimizer) {
  std::vector<std::span<float>> views;
  for (auto& slot : optimizer.slots()) {
    views.emplace_back(slot.values.data(), static_cast<size_t>(optimizer.size()));
  }
  return views;
}

std::vector<io::TensorView> ViewTensors(const Replica& replica,
                                        const std::vector<std::span<const float>>& slots,
                                        const worker::RecurrentState& state,
                                        const worker::RecurrentState& evaluation) {
  std::vector<io::TensorView> views;
  const worker::Parameters& parameters = replica.parameters();
  for (const worker::Parameter& p : parameters.list()) {
    const auto at = static_cast<size_t>(p.offset), size = static_cast<size_t>(p.size);
    views.push_back(
        {"parameters/" + p.name, Unsigned(p.shape), parameters.values().subspan(at, size)});
    for (size_t i = 0; i < slots.size(); ++i) {
      views.push_back({"optimizer/" + replica.optimizer.slots()[i].name + "/" + p.name,
                       Unsigned(p.shape), slots[i].subspan(at, size)});
    }
    if (replica.averaging.active()) {
      views.push_back(
          {"averages/" + p.name, Unsigned(p.shape), replica.averaging.values().subspan(at, size)});
    }
  }
  const auto add = [&](const std::string& group, const worker::RecurrentState& s) {
    for (const auto& part : s.parts())
      views.push_back({group + "/" + part.name, ShapeOf(s, part.values), part.values});
  };
  add("state", state);
  add("evaluation", evaluation);
  return views;
}

std::string PredictingGroup(const io::CheckpointReader& checkpoint) {
  const bool averaged = AtOr<int64_t>(checkpoint.header().counters, "averaging_count", 0) > 0;
  return averaged ? "averages/" : kTrainedGroup;
}

void LoadGroup(const io::CheckpointReader& checkpoint, const std::string& group,
               const worker::Parameters& parameters, std::span<float> out) {
  for (const worker::Parameter& p : parameters.list()) {
    Read(checkpoint, group + p.name, Unsigned(p.shape),
         out.subspan(static_cast<size_t>(p.offset), static_cast<size_t>(p.size)));
  }
}

void LoadParameters(const io::CheckpointReader& checkpoint, worker::Parameters& parameters) {
  LoadGroup(checkpoint, PredictingGroup(checkpoint), parameters, parameters.values());
}

void LoadTrainedParameters(const io::CheckpointReader& checkpoint, worker::Parameters& parameters) {
  LoadGroup(checkpoint, kTrainedGroup, parameters, parameters.values());
}

void LoadOptimizer(const io::CheckpointReader& checkpoint,
                   const std::vector<std::span<float>>& slots, Replica& replica) {
  if (replica.averaging.active()) {
    LoadGroup(checkpoint, "averages/", replica.parameters(), replica.averaging.values());
  }
  for (const worker::Parameter& p : replica.parameters().list()) {
    for (size_t i = 0; i < slots.size(); ++i) {
      Read(checkpoint, "optimizer/" + replica.optimizer.slots()[i].name + "/" + p.name,
           Unsigned(p.shape),
           slots[i].subspan(static_cast<size_t>(p.offset), static_cast<size_t>(p.size)));
    }
  }
}

void LoadState(const io::CheckpointReader& checkpoint, const std::string& group,
               worker::RecurrentState& state) {
  const std::string prefix = group + "/";
  std::set<std::string> known;
  for (const auto& part : state.parts()) {
    Read(checkpoint, prefix + part.name, ShapeOf(state, part.values), part.values);
    known.insert(prefix + part.name);
  }
  for (const std::string& name : checkpoint.Names()) {
    if (!name.starts_with(prefix) || known.contains(name)) continue;
    throw UsageError(
        fmt::format("{}: is of another model: it holds {}, which this one does not have. Use the "
                    "configuration that it was trained with.",
                    checkpoint.path().string(), name));
  }
}

std::vector<float> SliceLanes(const std::vector<float>& all, int64_t layers, int64_t lanes,
                              LaneRange range) {
  if (all.empty()) return {};
  const int64_t units = static_cast<int64_t>(all.size()) / layers / lanes;
  std::vector<float> part;
  part.reserve(layers * range.count() * units);
  for (int64_t layer = 0; layer < layers; ++layer) {
    const auto row = all.begin() + layer * lanes * units;
    part.insert(part.end(), row + range.begin * units, row + range.end * units);
  }
  return part;
}

std::vector<float> JoinLanes(const std::vector<float>& parts, int64_t layers, int64_t lanes,
                             int ranks) {
  if (parts.empty()) return {};
  const int64_t units = static_cast<int64_t>(parts.size()) / layers / lanes;
  std::vector<float> all(parts.size());
  auto from = parts.begin();
  for (int rank = 0; rank < ranks; ++rank) {
    const LaneRange range = LanesOfRank(lanes, rank, ranks);
    for (int64_t layer = 0; layer < layers; ++layer) {
      const int64_t count = range.count() * units;
      std::copy(from, from + count, all.begin() + (layer * lanes + range.begin) * units);
      from += count;
    }
  }
  return all;
}

}  // namespace lockstep::trainer
