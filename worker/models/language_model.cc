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
  if (options.embedding_size == 0 &&
      (options.input_dropout > 0.0 || options.embedding_dropout > 0.0)) {
    throw std::invalid_argument("one-hot vectors cannot be dropped");
  }
  if (options.sampled_classes > 0 &&
      (!options.softmax.cutoffs.empty() || options.label_smoothing > 0.0)) {
    throw std::invalid_argument("classes are sampled of one softmax that is not smoothed");
  }
  return options;
}

StackOptions StackOf(const LanguageModelOptions& options, int64_t input_size) {
  StackOptions stack;
  stack.cell = options.cell;
  stack.input_size = input_size;
  stack.hidden_size = options.hidden_size;
  stack.cell_size = options.cell_size;
  stack.layers = options.layers;
  stack.dropout = options.dropout;
  stack.residual = options.residual;
  stack.layer_norm = options.layer_norm;
  stack.output_dropout = options.output_dropout;
  stack.input_dropout = options.input_dropout;
  stack.locked_dropout = options.locked_dropout;
  stack.weight_drop = options.weight_drop;
  return stack;
}

// A tied embedding is drawn as the projection is.
Draw EmbeddingDraw(const LanguageModelOptions& options) {
  if (!options.tie_embedding) return NormalDraw();
  return UniformDraw(1.0 / std::sqrt(static_cast<double>(options.hidden_size)));
}

}  // namespace

LanguageModel::LanguageModel(const LanguageModelOptions& options, Pass pass)
    : options_(Checked(options)),
      input_(options.vocabulary_size, options.embedding_size, EmbeddingDraw(options), parameters_,
             options.embedding_dropout),
      stack_(StackOf(options, input_.size()), "rnn.", parameters_),
      output_(options.vocabulary_size, options.hidden_size, options.softmax,
              options.tie_embedding ? input_.weight() : -1, parameters_) {
  Allocate(pass);
}

// What is dropped of the vectors must stand there as vectors.
bool LanguageModel::UsesTable(int64_t time_steps, int64_t lanes) const {
  if (options_.input_dropout > 0.0 || options_.embedding_dropout > 0.0) return false;
  return input_.UsesTable(time_steps *
                          (options_.lanes_of_rank > 0 ? options_.lanes_of_rank : lanes));
}

const float* LanguageModel::RunStack(const TokenBatch& batch, RecurrentState& state,
                                     const DropoutSite* site) {
  batch_ = batch;
  const int64_t T = batch.time_steps, B = batch.lanes;
  const StackInput input = input_.Forward(T * B, batch.inputs, UsesTable(T, B), site);
  return stack_.Forward(PackedSteps::Uniform(T, B), input, state, site);
}

double LanguageModel::Forward(const TokenBatch& batch, RecurrentState& state,
                              const DropoutSite& site) {
  DropoutSite own = site;
  own.layer = 0;
  const float* y = RunStack(batch, state, &own);
  const int64_t rows = batch.time_steps * batch.lanes;
  const double loss = options_.sampled_classes > 0
                          ? output_.SampledLossAndGradient(
                                rows, y, batch.targets,
                                ClassSample(options_.vocabulary_size, options_.sampled_classes,
                                            site.seed, site.batch),
                                stack_.d_output())
                          : output_.LossAndGradient(rows, y, batch.targets, stack_.d_output(),
                                                    options_.label_smoothing);
  Regularize(y);
  return loss;
}

// See LanguageModelOptions. A row whose target does not count is no prediction.
void LanguageModel::Regularize(const float* y) {
  const int64_t T = batch_.time_steps, B = batch_.lanes, H = options_.hidden_size;
  const auto of_prediction = [&](double factor) {
    return static_cast<float>(2.0 * factor / static_cast<double>(H));
  };
  if (options_.activation_regularization > 0.0) {
    const float factor = of_prediction(options_.activation_regularization);
    float* d_y = stack_.d_output();
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < T * B; ++row) {
      if (batch_.targets[row] < 0) continue;
      for (int64_t i = row * H; i < (row + 1) * H; ++i) d_y[i] += factor * y[i];
    }
  }
  if (options_.temporal_activation_regularization > 0.0) {
    const float factor = of_prediction(options_.temporal_activation_regularization);
    const float* h = stack_.plain_output();
    float* d_h = d_plain_.Require(T * B * H);
    const auto counts = [&](int64_t row) {
      return row >= B && row < T * B && batch_.targets[row] >= 0;
    };
    // What a row changes from the one before, less what the next one changes from it.
#pragma omp parallel for schedule(static)
    for (int64_t row = 0; row < T * B; ++row) {
      const float own = counts(row) ? factor : 0.0f, next = counts(row + B) ? factor : 0.0f;
      const float* before = h + (own != 0.0f ? row - B : row) * H;
      const float* behind = h + (next != 0.0f ? row + B : row) * H;
      const float* here = h + row * H;
      float* d_here = d_h + row * H;
      for (int64_t i = 0; i < H; ++i) {
        d_here[i] = own * (here[i] - before[i]) - next * (behind[i] - here[i]);
      }
    }
    stack_.set_d_plain_output(d_h);
  }
}

void LanguageModel::Backward(const GradientReady& ready) {
  input_.Backward(batch_.time_steps * batch_.lanes, batch_.inputs,
                  stack_.Backward({}, true, ready));
}

int64_t LanguageModel::WorkingBytes(int64_t time_steps, int64_t lanes) const {
  const int64_t rows = time_steps * lanes;
  const int64_t table = FactsOf(options_.cell).gates * stack_.options().units();
  int64_t floats_of_row = stack_.FloatsOfRow() + input_.FloatsOfRow();
  if (options_.temporal_activation_regularization > 0.0) floats_of_row += options_.hidden_size;
  const int64_t floats = rows * floats_of_row + stack_.FloatsOfWeights() +
                         output_.WorkingFloats(rows, options_.sampled_classes) +
                         (UsesTable(time_steps, lanes) ? options_.vocabulary_size * table : 0);
  return floats * static_cast<int64_t>(sizeof(float));
}

double LanguageModel::Evaluate(const TokenBatch& batch, RecurrentState& state) {
  const float* y = RunStack(batch, state, nullptr);
  return output_.Loss(batch.time_steps * batch.lanes, y, batch.targets);
}

void LanguageModel::BeginNextLogits() {
  stack_.BeginSingleSteps();
  output_.PackWeights();
}

std::span<const float> LanguageModel::NextLogits(std::span<const int32_t> tokens,
                                                 RecurrentState& state) {
  const int64_t lanes = std::ssize(tokens), V = options_.vocabulary_size;
  const float* x = nullptr;
  if (options_.embedding_size > 0) {
    x = input_.Forward(lanes, tokens.data(), false).x;
  } else {
    one_hot_.assign(lanes * V, 0.0f);
    for (int64_t lane = 0; lane < lanes; ++lane) one_hot_[lane * V + tokens[lane]] = 1.0f;
    x = one_hot_.data();
  }
  const float* y = stack_.SingleStep(lanes, x, state);
  return {output_.Logits(lanes, y), static_cast<size_t>(lanes * V)};
}

}  // namespace lockstep::worker
