#include <algorithm>
#include <stdexcept>

#include "worker/layers/stack.h"

// The pass of RecurrentStack that is made one time step after another.

namespace lockstep::worker {

void RecurrentStack::DropStep(int layer, int64_t t, const float* x, float* out) const {
  const bool input = layer == options_.layers;
  DropoutOfStep(SiteOf(layer), input ? options_.input_dropout : options_.dropout_after(layer), t,
                steps_.items_at(t), input ? options_.input_size : options_.hidden_size, x, out);
}

void RecurrentStack::BeginSteps(const PackedSteps& steps, RecurrentState& state,
                                const DropoutSite* site) {
  if (options_.bidirectional) {
    throw std::logic_error("a stack of two directions cannot go one time step after another");
  }
  read_ = Read::kOutputs;
  mask_lanes_ = 0;
  steps_ = steps;
  has_site_ = site != nullptr;
  if (site) site_ = *site;
  DropRecurrentWeights();
  step_inputs_.Require(steps.rows() * options_.input_size);
  for (int layer = 0; layer < options_.layers; ++layer) {
    layers_[layer].BeginSteps(steps, StateOf(state, layer, 0));
    if (Drops(layer) || Adds(layer)) {
      outputs_[layer].Require(steps.rows() * options_.hidden_size);
    }
  }
}

const float* RecurrentStack::Step(int64_t t, const float* x_t) {
  const int64_t H = options_.hidden_size, row = steps_.first_row(t), items = steps_.items_at(t);
  float* input = step_inputs_.data() + row * options_.input_size;
  if (DropsInput()) {
    DropStep(options_.layers, t, x_t, input);
  } else {
    std::copy_n(x_t, items * options_.input_size, input);
  }
  const float* x = input;
  for (int layer = 0; layer < options_.layers; ++layer) {
    if (t == 0) inputs_[layer] = x;
    const float* y = layers_[layer].Step(t, x);
    float* out = outputs_[layer].data() + row * H;
    if (Drops(layer)) {
      DropStep(layer, t, y, out);
      y = out;
    }
    if (Adds(layer)) {
      AddArrays(items * H, y, x, out);
      y = out;
    }
    x = y;
  }
  return x;
}

void RecurrentStack::BeginBackwardSteps(const StackStateGradient& state) {
  const int64_t size = GradientSize(steps_.items());
  for (Buffer& gradient : d_steps_) gradient.Require(size);
  d_dropped_.Require(size);
  for (int layer = 0; layer < options_.layers; ++layer) {
    layers_[layer].BeginBackwardSteps(StateGradientOf(state, layer, 0));
  }
}

float* RecurrentStack::BackwardStep(int64_t t, float* d_output_t) {
  float* d_output = d_output_t;
  for (int layer = options_.layers - 1; layer >= 0; --layer) {
    const float* d_h = d_output;
    if (Drops(layer)) {
      float* d_dropped = Adds(layer) ? d_dropped_.data() : d_output;
      DropStep(layer, t, d_output, d_dropped);
      d_h = d_dropped;
    }
    float* d_input = d_steps_[layer % 2].data();
    layers_[layer].BackwardStep(t, d_h, d_input);
    if (Adds(layer)) {
      AddArrays(steps_.items_at(t) * options_.hidden_size, d_input, d_output, d_input);
    }
    d_output = d_input;
  }
  if (DropsInput()) DropStep(options_.layers, t, d_output, d_output);
  return d_output;
}

void RecurrentStack::FinishBackwardSteps() {
  for (int layer = options_.layers - 1; layer >= 0; --layer) {
    layers_[layer].FinishBackwardSteps(inputs_[layer]);
  }
}

void RecurrentStack::BeginSingleSteps() {
  if (options_.bidirectional) {
    throw std::logic_error("a stack of two directions cannot go one time step after another");
  }
  for (RecurrentLayer& layer : layers_) layer.BeginSingleSteps();
}

const float* RecurrentStack::SingleStep(int64_t rows, const float* x, RecurrentState& state) {
  steps_ = PackedSteps::Uniform(1, rows);
  for (int layer = 0; layer < options_.layers; ++layer) {
    const float* y = layers_[layer].SingleStep(rows, x, StateOf(state, layer, 0));
    if (Adds(layer)) {
      float* out = outputs_[layer].Require(rows * options_.hidden_size);
      AddArrays(rows * options_.hidden_size, y, x, out);
      y = out;
    }
    x = y;
  }
  return x;
}

}  // namespace lockstep::worker
