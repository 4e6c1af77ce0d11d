#include "trainer/tasks/start_from.h"

#include <algorithm>
#include <optional>
#include <span>
#include <utility>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "trainer/exit_status.h"
#include "trainer/run/checkpoint_contents.h"

namespace lockstep::trainer {
namespace {

using Shape = std::vector<uint64_t>;

int AxisOf(const worker::Parameter& parameter, const std::vector<TokenAxis>& of_tokens) {
  const auto found = std::ranges::find(of_tokens, parameter.name, &TokenAxis::name);
  return found != of_tokens.end() ? found->axis : -1;
}

// The shape that a parameter must have in the file.
Shape ShapeThere(const worker::Parameter& parameter, int axis, int64_t tokens_there) {
  Shape shape(parameter.shape.begin(), parameter.shape.end());
  if (axis >= 0) shape[axis] = static_cast<uint64_t>(tokens_there);
  return shape;
}

void RequireSameModel(const io::CheckpointReader& checkpoint, const std::string& group,
                      const worker::Parameters& parameters, const std::vector<TokenAxis>& of_tokens,
                      int64_t tokens_there) {
  const std::string origin = checkpoint.path().string();
  for (const worker::Parameter& parameter : parameters.list()) {
    const auto found = checkpoint.Shape(group + parameter.name);
    if (!found) {
      throw UsageError(fmt::format(
          "{}: cannot be started from: it holds no {}, which the model of the configuration has. "
          "Give `model` and `task` what it was trained with.",
          origin, parameter.name));
    }
    const Shape wanted = ShapeThere(parameter, AxisOf(parameter, of_tokens), tokens_there);
    if (*found == wanted) continue;
    throw UsageError(
        fmt::format("{}: cannot be started from: {} is [{}], the configuration makes it [{}]. Give "
                    "`model` and `task` what it was trained with.",
                    origin, parameter.name, fmt::join(*found, ", "), fmt::join(wanted, ", ")));
  }
  for (const std::string& name : checkpoint.Names()) {
    if (!name.starts_with(group) || parameters.Find(name.substr(group.size())) >= 0) continue;
    throw UsageError(fmt::format(
        "{}: cannot be started from: it holds {}, which the model of the configuration does not "
        "have. Give `model` and `task` what it was trained with.",
        origin, name.substr(group.size())));
  }
}

}  // namespace

std::vector<int64_t> PlacesOfTokens(const io::Vocabulary& here, const io::Vocabulary& there) {
  std::vector<int64_t> places;
  for (const std::string& token : here.tokens()) {
    const std::optional<uint32_t> id = there.Find(token);
    places.push_back(id ? static_cast<int64_t>(*id) : -1);
  }
  if (const auto end = here.line_end()) {
    const auto other = there.line_end();
    places[*end] = other ? static_cast<int64_t>(*other) : -1;
  }
  return places;
}

void CopyParameters(const io::CheckpointReader& checkpoint, const std::vector<TokenAxis>& of_tokens,
                    const std::vector<int64_t>& places, int64_t tokens_there,
                    worker::Parameters& parameters) {
  const std::string group = PredictingGroup(checkpoint);
  RequireSameModel(checkpoint, group, parameters, of_tokens, tokens_there);
  for (const worker::Parameter& parameter : parameters.list()) {
    const std::span<float> values = parameters.values().subspan(
        static_cast<size_t>(parameter.offset), static_cast<size_t>(parameter.size));
    const int axis = AxisOf(parameter, of_tokens);
    if (axis < 0) {
      checkpoint.Read(group + parameter.name, values);
      continue;
    }
    // [rows, tokens, width], rows being what stands before the axis and width what stands behind.
    const auto tokens = std::ssize(places);
    const int64_t rows = axis == 0 ? 1 : parameter.shape[0];
    const int64_t width = parameter.size / tokens / rows;
    std::vector<float> there(static_cast<size_t>(rows * tokens_there * width));
    checkpoint.Read(group + parameter.name, there);
    for (int64_t row = 0; row < rows; ++row) {
      for (int64_t id = 0; id < tokens; ++id) {
        if (places[id] < 0) continue;
        std::copy_n(there.begin() + (row * tokens_there + places[id]) * width, width,
                    values.begin() + (row * tokens + id) * width);
      }
    }
  }
}

void CopyParametersOfSameVocabulary(const io::CheckpointReader& checkpoint,
                                    const io::CheckpointHeader& here,
                                    worker::Parameters& parameters) {
  const io::CheckpointHeader& there = checkpoint.header();
  if (here.vocabulary != there.vocabulary || here.vocabularies != there.vocabularies) {
    throw UsageError(
        fmt::format("{}: cannot be started from: its vocabulary is not that of the dataset, so its "
                    "numbers would mean other words. Import the data with its vocabulary.",
                    checkpoint.path().string()));
  }
  CopyParameters(checkpoint, {}, {}, 0, parameters);
}

}  // namespace lockstep::trainer
