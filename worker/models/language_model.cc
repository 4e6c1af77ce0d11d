#include "worker/models/language_model.h"

#include <cmath>
#include <stdexcept>

namespace lockstep::worker {
namespace {

const LanguageModelOptions& Checked(const LanguageModelOptions& options) {
  if (options.vocabulary_size < 1)
    throw std::invalid_argument("a language model needs a vocabulary");
  if (options.tie_embedding && options.embedding_size != options.hidden_size) {
    throw std::invalid_argument("a tied embedding needs embedding_size = hidden_size");
  }
  return options;
}

// A tied embedding is drawn as the projection is.
Draw EmbeddingDraw(const LanguageModelOptions& options) {
  if (!options.tie_embedding) return NormalDraw();
  return UniformDraw(1.0 / std::sqrt(static_cast<double>(options.hidden_size)));
}

}  // namespace

LanguageModel::LanguageModel(const LanguageModelOptions& options, Pass pass)
    : options_(Checked(options)),
      input_(options.vocabulary_size, options.embedding_size, EmbeddingDraw(options), parameters_),
      stack_({options.cell, input_.size(), options.hidden_size, options.layers, options.dropout},
             "rnn.", parameters_),
      output_(options.vocabulary_size, options.hidden_size,
              options.tie_embedding ? input_.weight() : -1, parameters_) {
  Allocate(pass);
}

bool LanguageModel::UsesTable(int64_t time_steps, int64_t lanes) const {
  return input_.UsesTable(time_steps *
                          (options_.lanes_of_rank > 0 ? options_.lanes_of_rank : lanes));
}

const float* LanguageModel::RunStack(const TokenBatch& batch, RecurrentState& state,
                                     const DropoutSite* site) {
  batch_ = batch;
  const int64_t T = batch.time_steps, B = batch.lanes;
  const StackInput input = input_.Forward(T * B, batch.inputs, UsesTable(T, B));
  return stack_.Forward(PackedSteps::Uniform(T, B), input, state, site);
}

double LanguageModel::Forward(const TokenBatch& batch, RecurrentState& state,
                              const DropoutSite& site) {
  DropoutSite own = site;
  own.layer = 0;
  const float* y = RunStack(batch, state, &own);
  return output_.LossAndGradient(batch.time_steps * batch.lanes, y, batch.targets,
                                 stack_.d_output());
}

void LanguageModel::Backward() {
  const float* d_x = stack_.Backward();
  input_.Backward(batch_.time_steps * batch_.lanes, batch_.inputs, d_x);
}

int64_t LanguageModel::WorkingBytes(int64_t time_steps, int64_t lanes) const {
  const int64_t rows = time_steps * lanes;
  const int64_t table = FactsOf(options_.cell).gates * options_.hidden_size;
  const int64_t floats = rows * (stack_.FloatsOfRow() + options_.embedding_size) +
                         stack_.FloatsOfWeights() +
                         output_.BlockRows(rows) * options_.vocabulary_size +
                         (UsesTable(time_steps, lanes) ? options_.vocabulary_size * table : 0);
  return floats * static_cast<int64_t>(sizeof(float));
}

double LanguageModel::Evaluate(const TokenBatch& batch, RecurrentState& state) {
  const float* y = RunStack(batch, state, nullptr);
  return output_.Loss(batch.time_steps * batch.lanes, y, batch.targets);
}

std::span<const float> LanguageModel::NextLogits(std::span<const int32_t> tokens,
                                                 RecurrentState& state) {
  const int64_t T = static_cast<int64_t>(tokens.size());
  const float* y = RunStack({T, 1, tokens.data(), nullptr}, state, nullptr);
  const float* logits = output_.Logits(1, y + (T - 1) * options_.hidden_size);
  return {logits, static_cast<size_t>(options_.vocabulary_size)};
}

}  // namespace lockstep::worker
