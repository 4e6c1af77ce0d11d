#include "worker/models/language_model.h"

#include <algorithm>
#include <stdexcept>
#include <utility>

namespace lockstep::worker {

LanguageModel::LanguageModel(const LanguageModelOptions& options, Pass pass) : options_(options) {
  const int64_t V = options.vocabulary_size, I = options.embedding_size, H = options.hidden_size;
  if (V < 1) throw std::invalid_argument("a language model needs a vocabulary");
  if (options.tie_embedding && I != H) {
    throw std::invalid_argument("a tied embedding needs embedding_size = hidden_size");
  }
  if (I > 0) embedding_ = std::make_unique<Embedding>(V, I, parameters_);
  for (int layer = 0; layer < options.layers; ++layer) {
    const int64_t input_size = layer > 0 ? H : I > 0 ? I : V;
    layers_.push_back(
        std::make_unique<RecurrentLayer>(options.cell, input_size, H, layer, "rnn.", parameters_));
  }
  output_ = std::make_unique<OutputLayer>(V, H, options.tie_embedding ? embedding_->weight() : -1,
                                          parameters_);
  if (pass != Pass::kNone) parameters_.Allocate(pass == Pass::kForwardAndBackward);
  inputs_.resize(options.layers);
  dropped_.resize(options.layers);
}

RecurrentState LanguageModel::ZeroState(int64_t lanes) const {
  const size_t size = options_.layers * lanes * options_.hidden_size;
  RecurrentState state;
  state.h.assign(size, 0.0f);
  if (options_.cell == Cell::kLstm) state.c.assign(size, 0.0f);
  state.layers = options_.layers;
  state.lanes = lanes;
  state.units = options_.hidden_size;
  return state;
}

void LanguageModel::ApplyDropout(int layer, const float* x, float* out) {
  site_.layer = static_cast<uint32_t>(layer);
  Dropout(site_, options_.dropout, batch_.time_steps, batch_.lanes, options_.hidden_size, x, out);
}

bool LanguageModel::UsesTable(int64_t time_steps, int64_t lanes) const {
  const int64_t rows = time_steps * (options_.lanes_of_rank > 0 ? options_.lanes_of_rank : lanes);
  return !embedding_ || options_.vocabulary_size <= rows / 2;
}

// Returns the output of the last layer [T, B, H]. Without a site there is no dropout.
const float* LanguageModel::RunLayers(const TokenBatch& batch, RecurrentState& state,
                                      const DropoutSite* site) {
  batch_ = batch;
  if (site) site_ = *site;
  const int64_t T = batch.time_steps, B = batch.lanes, H = options_.hidden_size;
  const float* x = UsesTable(T, B) ? nullptr : embedding_->Forward(T * B, batch.inputs);
  const float* vectors = embedding_ ? parameters_.value(embedding_->weight()) : nullptr;
  for (int layer = 0; layer < options_.layers; ++layer) {
    float* h = state.h.data() + layer * B * H;
    float* c = state.c.empty() ? nullptr : state.c.data() + layer * B * H;
    inputs_[layer] = x;
    x = x ? layers_[layer]->Forward(T, B, x, h, c)
          : layers_[layer]->ForwardTokens(T, B, batch.inputs, options_.vocabulary_size, vectors, h,
                                          c);
    if (site && options_.dropout > 0.0) {
      float* dropped = dropped_[layer].Require(T * B * H);
      ApplyDropout(layer, x, dropped);
      x = dropped;
    }
  }
  return x;
}

double LanguageModel::Forward(const TokenBatch& batch, RecurrentState& state,
                              const DropoutSite& site) {
  const float* y = RunLayers(batch, state, &site);
  const int64_t rows = batch.time_steps * batch.lanes;
  const int64_t width = std::max(options_.hidden_size, options_.embedding_size);
  d_input_.Require(rows * width);
  return output_->LossAndGradient(rows, y, batch.targets, d_output_.Require(rows * width));
}

void LanguageModel::Backward() {
  for (int layer = options_.layers - 1; layer >= 0; --layer) {
    if (options_.dropout > 0.0) ApplyDropout(layer, d_output_.data(), d_output_.data());
    if (!inputs_[layer]) break;
    layers_[layer]->Backward(inputs_[layer], d_output_.data(), d_input_.data());
    std::swap(d_output_, d_input_);
  }
  const float* vectors = embedding_ ? parameters_.value(embedding_->weight()) : nullptr;
  float* d_vectors = embedding_ ? parameters_.gradient(embedding_->weight()) : nullptr;
  if (!inputs_[0]) {
    layers_[0]->BackwardTokens(batch_.inputs, options_.vocabulary_size, vectors, d_output_.data(),
                               d_vectors);
  } else {
    embedding_->Backward(batch_.time_steps * batch_.lanes, batch_.inputs, d_output_.data());
  }
}

int64_t LanguageModel::WorkingBytes(int64_t time_steps, int64_t lanes) const {
  const int64_t rows = time_steps * lanes;
  const int64_t I = options_.embedding_size, H = options_.hidden_size;
  const int64_t gates = GateCount(options_.cell);
  // Of a unit: gates, h, c or the GRU's candidate, and the output after dropout.
  const int64_t unit = gates + 1 + (gates > 1 ? 1 : 0) + (options_.dropout > 0.0 ? 1 : 0);
  // The recurrent weights stand packed twice, for the way forward and back.
  const int64_t floats = rows * (options_.layers * H * unit + I + 2 * std::max(H, I)) +
                         options_.layers * 2 * gates * H * H +
                         output_->BlockRows(rows) * options_.vocabulary_size +
                         (UsesTable(time_steps, lanes) ? options_.vocabulary_size * gates * H : 0);
  return floats * static_cast<int64_t>(sizeof(float));
}

double LanguageModel::Evaluate(const TokenBatch& batch, RecurrentState& state) {
  const float* y = RunLayers(batch, state, nullptr);
  return output_->Loss(batch.time_steps * batch.lanes, y, batch.targets);
}

std::span<const float> LanguageModel::NextLogits(std::span<const int32_t> tokens,
                                                 RecurrentState& state) {
  const int64_t T = static_cast<int64_t>(tokens.size());
  const float* y = RunLayers({T, 1, tokens.data(), nullptr}, state, nullptr);
  const float* logits = output_->Logits(1, y + (T - 1) * options_.hidden_size);
  return {logits, static_cast<size_t>(options_.vocabulary_size)};
}

}  // namespace lockstep::worker
