#include "worker/layers/stack.h"

#include <algorithm>
#include <utility>

namespace lockstep::worker {
namespace {

std::vector<RecurrentLayer> MakeLayers(const StackOptions& options, const std::string& prefix,
                                       Parameters& parameters) {
  std::vector<RecurrentLayer> layers;
  layers.reserve(options.layers);
  for (int layer = 0; layer < options.layers; ++layer) {
    layers.emplace_back(options.cell, layer > 0 ? options.hidden_size : options.input_size,
                        options.hidden_size, layer, prefix, parameters);
  }
  return layers;
}

}  // namespace

RecurrentStack::RecurrentStack(const StackOptions& options, std::vector<RecurrentLayer> layers)
    : options_(options),
      layers_(std::move(layers)),
      inputs_(options.layers),
      dropped_(options.layers) {}

RecurrentStack::RecurrentStack(const StackOptions& options, const std::string& prefix,
                               Parameters& parameters)
    : RecurrentStack(options, MakeLayers(options, prefix, parameters)) {}

RecurrentStack RecurrentStack::Sharing(const RecurrentStack& other) {
  std::vector<RecurrentLayer> layers;
  layers.reserve(other.layers_.size());
  for (const RecurrentLayer& layer : other.layers_) {
    layers.push_back(RecurrentLayer::Sharing(layer));
  }
  return {other.options_, std::move(layers)};
}

RecurrentState RecurrentStack::ZeroState(int64_t lanes) const {
  RecurrentState state;
  state.layers = options_.layers;
  state.lanes = lanes;
  state.units = options_.hidden_size;
  const size_t size = state.layers * lanes * state.units;
  state.h.assign(size, 0.0f);
  if (FactsOf(options_.cell).has_c) state.c.assign(size, 0.0f);
  return state;
}

bool RecurrentStack::Drops(int layer) const {
  return options_.dropout > 0.0 && (read_ == Read::kOutputs || layer + 1 < options_.layers);
}

int64_t RecurrentStack::GradientSize() const {
  return steps_.rows() * std::max(options_.hidden_size, options_.input_size);
}

float* RecurrentStack::d_output() { return d_output_.Require(GradientSize()); }

void RecurrentStack::ApplyDropout(int layer, const float* x, float* out) {
  DropoutSite site = site_;
  site.layer += static_cast<uint32_t>(layer);
  Dropout(site, options_.dropout, steps_.rows() / mask_lanes_, mask_lanes_, options_.hidden_size, x,
          out);
}

const float* RecurrentStack::Forward(const PackedSteps& steps, const StackInput& input,
                                     RecurrentState& state, const DropoutSite* site, Read read,
                                     int64_t mask_lanes) {
  const int64_t time_steps = steps.time_steps(), lanes = steps.items();
  read_ = read;
  mask_lanes_ = mask_lanes > 0 ? mask_lanes : lanes;
  steps_ = steps;
  input_ = input;
  const int64_t rows = steps.rows(), size = lanes * options_.hidden_size;
  const float* x = input.x;
  for (int layer = 0; layer < options_.layers; ++layer) {
    const LayerState part = {state.h.data() + layer * size,
                             state.c.empty() ? nullptr : state.c.data() + layer * size};
    inputs_[layer] = x;
    x = x ? layers_[layer].Forward(time_steps, lanes, x, part)
          : layers_[layer].ForwardTokens(time_steps, lanes, input.tokens, input.vectors, part);
    if (site && Drops(layer)) {
      site_ = *site;
      float* dropped = dropped_[layer].Require(rows * options_.hidden_size);
      ApplyDropout(layer, x, dropped);
      x = dropped;
    }
  }
  return x;
}

float* RecurrentStack::Backward(const StackStateGradient& state, bool input_gradient) {
  const int64_t size = steps_.items() * options_.hidden_size;
  const auto at = [size](auto& values, int layer) {
    return values.empty() ? nullptr : values.data() + layer * size;
  };
  float* d_output = read_ == Read::kOutputs ? d_output_.data() : nullptr;
  for (int layer = options_.layers - 1; layer >= 0; --layer) {
    LayerStateGradient part;
    if (state.final_state) {
      part.d_h_final = at(state.final_state->h, layer);
      part.d_c_final = at(state.final_state->c, layer);
    }
    if (state.initial_state) {
      part.d_h_initial = at(state.initial_state->h, layer);
      part.d_c_initial = at(state.initial_state->c, layer);
    }
    if (Drops(layer)) ApplyDropout(layer, d_output, d_output);
    if (!inputs_[layer]) {
      layers_[layer].BackwardTokens(input_.tokens, input_.vectors, d_output, part);
      return nullptr;
    }
    float* d_input = layer > 0 || input_gradient ? d_input_.Require(GradientSize()) : nullptr;
    layers_[layer].Backward(inputs_[layer], d_output, d_input, part);
    if (!d_input) return nullptr;
    std::swap(d_output_, d_input_);
    d_output = d_output_.data();
  }
  return d_output;
}

int64_t RecurrentStack::FloatsOfRow(int gradients) const {
  int64_t floats = gradients * std::max(options_.hidden_size, options_.input_size);
  for (const RecurrentLayer& layer : layers_) {
    floats += layer.FloatsOfRow() + (options_.dropout > 0.0 ? options_.hidden_size : 0);
  }
  return floats;
}

int64_t RecurrentStack::FloatsOfWeights() const {
  int64_t floats = 0;
  for (const RecurrentLayer& layer : layers_) floats += layer.FloatsOfWeights();
  return floats;
}

}  // namespace lockstep::worker
