#include "worker/models/decoder.h"

#include <algorithm>
#include <cmath>

namespace lockstep::worker {
namespace {

int64_t ExtraSize(const EncoderDecoderOptions& options, int64_t context_size) {
  switch (options.conditioning) {
    case Conditioning::kState:
      return 0;
    case Conditioning::kContext:
    case Conditioning::kBahdanau:
      return context_size;
    case Conditioning::kLuong:
      return options.input_feeding ? options.stack.hidden_size : 0;
  }
  return 0;
}

StackOptions StackOf(const EncoderDecoderOptions& options, int64_t input_size) {
  StackOptions stack = options.stack;
  stack.bidirectional = false;
  stack.input_size = input_size;
  return stack;
}

// A tied embedding is drawn as the projection is.
Draw EmbeddingDraw(const EncoderDecoderOptions& options) {
  if (!options.tie_embedding) return NormalDraw();
  return UniformDraw(1.0 / std::sqrt(static_cast<double>(options.stack.hidden_size)));
}

}  // namespace

Decoder::Decoder(const EncoderDecoderOptions& options, int64_t context_size, Parameters& parameters)
    : options_(options),
      units_(options.stack.hidden_size),
      context_size_(context_size),
      input_(options.target_vocabulary_size + 1, options.embedding_size,
             ExtraSize(options, context_size), EmbeddingDraw(options), options.stack.dropout,
             parameters),
      stack_(StackOf(options, input_.size()), "decoder.rnn.", parameters),
      attention_(is(Conditioning::kBahdanau) || is(Conditioning::kLuong)
                     ? std::optional<Attention>(
                           std::in_place,
                           AttentionOptions{is(Conditioning::kBahdanau) ? AttentionScore::kAdditive
                                                                        : AttentionScore::kGeneral,
                                            units_, context_size, units_},
                           "attention", parameters)
                     : std::nullopt),
      readout_(is(Conditioning::kState)
                   ? std::nullopt
                   : std::optional<Readout>(std::in_place, context_size, units_,
                                            options.stack.dropout, parameters)),
      output_(options.target_vocabulary_size + 1, units_,
              options.tie_embedding ? input_.embedding() : -1, parameters) {}

DropoutSite Decoder::SiteOf(uint32_t layer) const {
  DropoutSite site = site_;
  site.layer += layer;
  return site;
}

// What a step's input and readout see is the same at all steps of an item.
void Decoder::RepeatSummary() {
  const int64_t C = context_size_;
#pragma omp parallel for schedule(static)
  for (int64_t t = 0; t < steps_.time_steps(); ++t) {
    std::copy_n(source_.summary, steps_.items_at(t) * C,
                contexts_.data() + steps_.first_row(t) * C);
  }
}

void Decoder::SumSummaryGradient() {
  const int64_t C = context_size_;
  float* sums = d_summary_.Require(steps_.items() * C);
#pragma omp parallel for schedule(static)
  for (int64_t item = 0; item < steps_.items(); ++item) {
    std::fill_n(sums + item * C, C, 0.0f);
    for (int64_t t = 0; t < steps_.length(item); ++t) {
      const float* part = readout_->d_contexts() + (steps_.first_row(t) + item) * C;
      for (int64_t i = 0; i < C; ++i) sums[item * C + i] += part[i];
    }
  }
}

const float* Decoder::Forward(const PackedSteps& steps, const int32_t* inputs,
                              const DecoderSource& source, const RecurrentState& initial,
                              const DropoutSite* site, double sampling) {
  steps_ = steps;
  source_ = source;
  has_site_ = site != nullptr;
  if (site) site_ = *site;
  state_ = initial;
  const bool recurs = is(Conditioning::kBahdanau) || options_.input_feeding;
  stepwise_ = recurs || sampling > 0.0;
  if (sampling > 0.0) {
    chosen_.assign(inputs, inputs + steps.rows());
    inputs = chosen_.data();
    output_.PackWeights();
  }
  input_.Begin(steps, inputs, site, stepwise_);
  if (readout_) {
    const DropoutSite own = SiteOf(static_cast<uint32_t>(options_.stack.layers) + 1);
    contexts_.Require(steps.rows() * context_size_);
    readout_->Begin(steps, contexts_.data(), site ? &own : nullptr);
  }
  if (attention_) attention_->SetSource(source.steps, source.outputs);
  if (is(Conditioning::kContext)) {
    RepeatSummary();
    input_.SetExtra(0, steps.rows(), contexts_.data());
  }
  return stepwise_ ? ForwardSteps(sampling) : ForwardAllAtOnce();
}

const float* Decoder::ForwardAllAtOnce() {
  const DropoutSite own = SiteOf(1);
  const int64_t T = steps_.time_steps();
  outputs_ = stack_.Forward(steps_, input_.All(), state_, has_site_ ? &own : nullptr);
  if (attention_) {
    attention_->Begin(steps_, source_.source_of, outputs_, contexts_.data());
    attention_->Forward(0, T);
  }
  if (readout_) readouts_ = readout_->Forward(0, T, outputs_);
  return readouts();
}

float* Decoder::d_readouts() {
  if (readout_) return readout_->d_readouts();
  return stepwise_ ? d_outputs_.Require(steps_.rows() * units_) : stack_.d_output();
}

void Decoder::AddQueryGradient(int64_t row, int64_t rows, float* to) const {
  const float* from = d_queries_.data() + row * units_;
#pragma omp parallel for simd schedule(static)
  for (int64_t i = 0; i < rows * units_; ++i) to[i] += from[i];
}

RecurrentState& Decoder::Backward(float* d_outputs) {
  d_state_ = state_;
  if (readout_) readout_->BeginBackward();
  if (attention_) d_queries_.Require(steps_.rows() * units_);
  stepwise_ ? BackwardSteps(d_outputs) : BackwardAllAtOnce(d_outputs);
  if (readout_) readout_->FinishBackward();
  if (is(Conditioning::kContext)) SumSummaryGradient();
  input_.Backward();
  return d_state_;
}

const float* Decoder::d_summary() const {
  return is(Conditioning::kContext) ? d_summary_.data() : nullptr;
}

void Decoder::BackwardAllAtOnce(float* d_outputs) {
  const int64_t R = steps_.rows(), T = steps_.time_steps();
  if (readout_) readout_->Backward(0, T, stack_.d_output());
  if (attention_) {
    attention_->BeginBackward(readout_->d_contexts(), d_queries_.data());
    attention_->Backward(0, T);
    attention_->FinishBackward(d_outputs);
    AddQueryGradient(0, R, stack_.d_output());
  }
  const float* d_x = stack_.Backward({.initial_state = &d_state_});
  float* d_extra = is(Conditioning::kContext) ? readout_->d_contexts() : nullptr;
  if (d_x) input_.TakeGradient(0, R, d_x, d_extra, true);
}

int64_t Decoder::WorkingFloats(int64_t rows, int64_t items, int64_t source_rows,
                               int64_t source_steps) const {
  const int64_t H = units_, C = context_size_;
  int64_t of_row = input_.FloatsOfRow() + stack_.FloatsOfRow(2, true);
  int64_t floats = stack_.FloatsOfWeights() + output_.WorkingFloats(rows);
  if (readout_) {
    of_row += C + readout_->FloatsOfRow() + C;  // contexts, and their gradient
    floats += readout_->FloatsOfWeights();
  }
  if (attention_) {
    of_row += 2 * H + attention_->FloatsOfTargetRow(source_steps);
    floats += source_rows * attention_->FloatsOfSourceRow() + 2 * H * H;
  }
  if (is(Conditioning::kBahdanau) || options_.input_feeding) {
    of_row += H + input_.size();  // d_outputs_, and the stack's copy of its input
    // The input side's weights, packed for both ways.
    floats += 2 * FactsOf(options_.stack.cell).gates * stack_.options().units() * input_.size();
  }
  const int64_t state = H + stack_.options().units();
  return rows * of_row + items * (2 * options_.stack.layers * state + H + C) + floats;
}

}  // namespace lockstep::worker
