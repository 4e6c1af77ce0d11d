#include "worker/layers/stack.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace lockstep::worker {
namespace {

std::vector<RecurrentLayer> MakeLayers(const StackOptions& options, const std::string& prefix,
                                       Parameters& parameters) {
  std::vector<RecurrentLayer> layers;
  layers.reserve(options.layers * options.directions());
  const int64_t projection_size = options.cell_size > 0 ? options.hidden_size : 0;
  for (int layer = 0; layer < options.layers; ++layer) {
    const int64_t input_size = layer > 0 ? options.output_size() : options.input_size;
    layers.emplace_back(options.cell, input_size, options.units(), layer, prefix, parameters,
                        Direction::kForward, options.layer_norm, projection_size);
    if (options.bidirectional) {
      layers.emplace_back(options.cell, input_size, options.units(), layer, prefix, parameters,
                          Direction::kReverse, options.layer_norm, projection_size);
    }
  }
  return layers;
}

// Copies rows of `width` floats between arrays of other strides.
void CopyColumns(int64_t rows, int64_t width, const float* from, int64_t from_stride, float* to,
                 int64_t to_stride) {
#pragma omp parallel for schedule(static)
  for (int64_t row = 0; row < rows; ++row) {
    std::copy_n(from + row * from_stride, width, to + row * to_stride);
  }
}

}  // namespace

void RecurrentStack::AddArrays(int64_t size, const float* a, const float* b, float* sum) {
#pragma omp parallel for simd schedule(static)
  for (int64_t i = 0; i < size; ++i) sum[i] = a[i] + b[i];
}

RecurrentStack::RecurrentStack(const StackOptions& options, std::vector<RecurrentLayer> layers)
    : options_(options),
      layers_(std::move(layers)),
      inputs_(options.layers),
      outputs_(options.layers) {}

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
  state.layers = options_.layers * options_.directions();
  state.lanes = lanes;
  state.units = options_.hidden_size;
  state.h.assign(state.layers * lanes * state.units, 0.0f);
  if (FactsOf(options_.cell).has_c) state.c.assign(state.layers * lanes * options_.units(), 0.0f);
  return state;
}

LayerState RecurrentStack::StateOf(RecurrentState& state, int layer, int64_t direction) const {
  const int64_t lanes = (layer * options_.directions() + direction) * steps_.items();
  return {state.h.data() + lanes * options_.hidden_size,
          state.c.empty() ? nullptr : state.c.data() + lanes * options_.units()};
}

LayerStateGradient RecurrentStack::StateGradientOf(const StackStateGradient& state, int layer,
                                                   int64_t direction) const {
  const int64_t lanes = (layer * options_.directions() + direction) * steps_.items();
  const auto at = [lanes](auto& values, int64_t width) {
    return values.empty() ? nullptr : values.data() + lanes * width;
  };
  const int64_t H = options_.hidden_size, units = options_.units();
  LayerStateGradient part;
  if (state.final_state) {
    part.d_h_final = at(state.final_state->h, H);
    part.d_c_final = at(state.final_state->c, units);
  }
  if (state.initial_state) {
    part.d_h_initial = at(state.initial_state->h, H);
    part.d_c_initial = at(state.initial_state->c, units);
  }
  return part;
}

bool RecurrentStack::Drops(int layer) const {
  return has_site_ && options_.dropout_after(layer) > 0.0 &&
         (read_ == Read::kOutputs || layer + 1 < options_.layers);
}

int64_t RecurrentStack::GradientSize(int64_t rows) const {
  return rows * std::max(options_.output_size(), options_.input_size);
}

float* RecurrentStack::d_output() { return d_output_.Require(GradientSize(steps_.rows())); }

DropoutSite RecurrentStack::SiteOf(int layer) const {
  DropoutSite site = site_;
  site.layer += static_cast<uint32_t>(layer);
  site.locked = site.locked || options_.locked_dropout;
  return site;
}

void RecurrentStack::DropRecurrentWeights() {
  for (int layer = 0; layer < options_.layers; ++layer) {
    for (int64_t direction = 0; direction < options_.directions(); ++direction) {
      LayerAt(layer, direction)
          .DropRecurrentWeights(SiteOf(layer), has_site_ ? options_.weight_drop : 0.0);
    }
  }
}

void RecurrentStack::DropAll(int layer, const float* x, float* out) const {
  const bool input = layer == options_.layers;
  const double probability = input ? options_.input_dropout : options_.dropout_after(layer);
  const int64_t width = input ? options_.input_size : options_.output_size();
  if (mask_lanes_ > 0) {
    Dropout(SiteOf(layer), probability, steps_.rows() / mask_lanes_, mask_lanes_, width, x, out);
  } else {
    Dropout(SiteOf(layer), probability, steps_, width, x, out);
  }
}

const float* RecurrentStack::Join(int layer, const float* const* h, const float* x) {
  const int64_t rows = steps_.rows(), H = options_.hidden_size, width = options_.output_size();
  const bool drops = Drops(layer);
  const float* from = h[0];
  if (!options_.bidirectional && !drops && !Adds(layer)) return from;
  float* out = outputs_[layer].Require(rows * width);
  if (options_.bidirectional) {
    for (int direction = 0; direction < 2; ++direction) {
      CopyColumns(rows, H, h[direction], H, out + direction * H, width);
    }
    from = out;
  }
  if (drops) {
    DropAll(layer, from, out);
    from = out;
  }
  if (Adds(layer)) AddArrays(rows * width, from, x, out);
  return out;
}

const float* RecurrentStack::Forward(const PackedSteps& steps, const StackInput& input,
                                     RecurrentState& state, const DropoutSite* site, Read read,
                                     int64_t mask_lanes) {
  read_ = read;
  mask_lanes_ = mask_lanes;
  steps_ = steps;
  input_ = input;
  has_site_ = site != nullptr;
  if (site) site_ = *site;
  d_plain_output_ = nullptr;
  DropRecurrentWeights();
  const float* x = input.x;
  if (DropsInput()) {
    if (!x) throw std::logic_error("dropout on the input of a stack needs vectors");
    float* dropped = dropped_input_.Require(steps.rows() * options_.input_size);
    DropAll(options_.layers, x, dropped);
    x = dropped;
  }
  for (int layer = 0; layer < options_.layers; ++layer) {
    inputs_[layer] = x;
    const float* h[2] = {nullptr, nullptr};
    for (int64_t direction = 0; direction < options_.directions(); ++direction) {
      RecurrentLayer& part = LayerAt(layer, direction);
      const LayerState part_state = StateOf(state, layer, direction);
      h[direction] = x ? part.Forward(steps, x, part_state)
                       : part.ForwardTokens(steps, input.tokens, input.vectors, part_state);
    }
    plain_output_ = h[0];
    const bool is_read = read != Read::kStateOnly || layer + 1 < options_.layers;
    x = is_read ? Join(layer, h, x) : nullptr;
  }
  return x;
}

float* RecurrentStack::Backward(const StackStateGradient& state, bool input_gradient,
                                const GradientReady& ready) {
  if (ready) ready(layers_.back().end_of_parameters());
  const int64_t rows = steps_.rows(), H = options_.hidden_size, width = options_.output_size();
  float* d_output = read_ != Read::kStateOnly ? d_output_.data() : nullptr;
  for (int layer = options_.layers - 1; layer >= 0; --layer) {
    const float* d_h = d_output;  // of the directions, as they stand side by side
    if (Drops(layer)) {
      float* d_dropped = Adds(layer) ? d_dropped_.Require(rows * width) : d_output;
      DropAll(layer, d_output, d_dropped);
      d_h = d_dropped;
    }
    if (d_plain_output_ && layer + 1 == options_.layers) {
      float* sum = d_h == d_output && Adds(layer) ? d_dropped_.Require(rows * width)
                                                  : const_cast<float*>(d_h);
      AddArrays(rows * width, d_h, d_plain_output_, sum);
      d_h = sum;
    }
    const float* x = inputs_[layer];
    const bool wanted = x && (layer > 0 || input_gradient);
    float* d_input = wanted ? d_input_.Require(GradientSize(rows)) : nullptr;
    for (int64_t direction = 0; direction < options_.directions(); ++direction) {
      const float* d_part = d_h;
      if (d_h && options_.bidirectional) {
        float* columns = d_direction_.Require(rows * H);
        CopyColumns(rows, H, d_h + direction * H, width, columns, H);
        d_part = columns;
      }
      RecurrentLayer& part = LayerAt(layer, direction);
      const LayerStateGradient part_state = StateGradientOf(state, layer, direction);
      // The directions' parameters stand one behind another: those of the first have to wait.
      const bool last = direction + 1 == options_.directions();
      const GradientReady& part_ready = last ? ready : GradientReady();
      if (x) {
        part.Backward(x, d_part, d_input, part_state, direction > 0, part_ready);
      } else {
        part.BackwardTokens(input_.tokens, input_.vectors, d_part, part_state, part_ready);
      }
    }
    if (ready) ready(LayerAt(layer, 0).begin_of_parameters());
    if (!d_input) return nullptr;
    if (Adds(layer) && d_output) AddArrays(rows * width, d_input, d_output, d_input);
    std::swap(d_output_, d_input_);
    d_output = d_output_.data();
  }
  if (DropsInput()) DropAll(options_.layers, d_output, d_output);
  return d_output;
}

int64_t RecurrentStack::FloatsOfRow(int gradients, bool uneven) const {
  const int64_t width = options_.output_size();
  int64_t floats = gradients * std::max(width, options_.input_size);
  for (const RecurrentLayer& layer : layers_) floats += layer.FloatsOfRow(uneven);
  bool drops_and_adds = false;
  for (int layer = 0; layer < options_.layers; ++layer) {
    const bool drops = options_.dropout_after(layer) > 0.0;
    if (drops || options_.bidirectional || Adds(layer)) floats += width;
    drops_and_adds = drops_and_adds || (drops && Adds(layer));
  }
  if (options_.bidirectional) floats += options_.hidden_size;
  if (drops_and_adds) floats += width;
  if (options_.input_dropout > 0.0) floats += options_.input_size;
  return floats;
}

int64_t RecurrentStack::FloatsOfWeights() const {
  int64_t floats = 0;
  for (const RecurrentLayer& layer : layers_) {
    floats += layer.FloatsOfWeights(options_.weight_drop > 0.0);
  }
  return floats;
}

}  // namespace lockstep::worker
