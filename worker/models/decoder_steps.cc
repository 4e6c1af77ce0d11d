#include <algorithm>

#include "worker/models/decoder.h"
#include "worker/philox.h"

// The passes of Decoder that go one time step after another.

namespace lockstep::worker {

const float* Decoder::ForwardSteps(double sampling) {
  const int64_t T = steps_.time_steps(), H = units_, C = context_size_;
  const DropoutSite own = SiteOf(1);
  stack_.BeginSteps(steps_, state_, has_site_ ? &own : nullptr);
  const bool early = readout_ && (options_.input_feeding || sampling > 0.0);
  if (is(Conditioning::kBahdanau)) {
    queries_.Require(steps_.rows() * H);
    attention_->Begin(steps_, source_.source_of, queries_.data(), contexts_.data());
  }
  if (options_.input_feeding)
    std::fill_n(d_fed_.Require(steps_.items() * H), steps_.items() * H, 0.0f);
  for (int64_t t = 0; t < T; ++t) {
    const int64_t row = steps_.first_row(t), items = steps_.items_at(t);
    if (sampling > 0.0 && t > 0) Sample(t, sampling);
    if (is(Conditioning::kBahdanau)) {
      std::copy_n(stack_.StateBefore(t), items * H, queries_.data() + row * H);
      attention_->Forward(t, t + 1);
      input_.SetExtra(row, items, contexts_.data() + row * C);
    }
    if (options_.input_feeding) {
      input_.SetExtra(row, items, t > 0 ? readouts_ + steps_.first_row(t - 1) * H : d_fed_.data());
    }
    const float* outputs = stack_.Step(t, input_.rows(row));
    if (t == 0) outputs_ = outputs;
    if (is(Conditioning::kLuong)) {
      if (t == 0) attention_->Begin(steps_, source_.source_of, outputs_, contexts_.data());
      attention_->Forward(t, t + 1);
    }
    if (!early) continue;
    const float* readouts = readout_->Forward(t, t + 1, outputs_);
    if (t == 0) readouts_ = readouts;
  }
  if (readout_ && !early) readouts_ = readout_->Forward(0, T, outputs_);
  return readouts();
}

// What an item draws depends on nothing but the site and its number.
void Decoder::Sample(int64_t t, double sampling) {
  const int64_t H = units_, V = options_.target_vocabulary_size + 1;
  const int64_t row = steps_.first_row(t), before = steps_.first_row(t - 1);
  drawn_items_.clear();
  drawn_.Require(steps_.items() * H);
  for (int64_t item = 0; item < steps_.items_at(t); ++item) {
    if (DrawAt(site_, RandomPurpose::kScheduledSampling, t, item) >= sampling) continue;
    std::copy_n(readouts() + (before + item) * H, H, drawn_.data() + std::ssize(drawn_items_) * H);
    drawn_items_.push_back(item);
  }
  const int64_t drawn = std::ssize(drawn_items_);
  if (drawn == 0) return;
  const float* logits = output_.PackedLogits(drawn, drawn_.data());
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < drawn; ++i) {
    const float* own = logits + i * V;
    chosen_[row + drawn_items_[i]] = static_cast<int32_t>(std::max_element(own, own + V) - own);
  }
  input_.FillStep(t);
}

void Decoder::BackwardSteps(float* d_outputs) {
  const int64_t T = steps_.time_steps(), H = units_, R = steps_.rows();
  float* d_s = d_outputs_.Require(R * H);
  if (readout_ && !options_.input_feeding) readout_->Backward(0, T, d_s);
  if (attention_) attention_->BeginBackward(readout_->d_contexts(), d_queries_.data());
  if (is(Conditioning::kLuong) && !options_.input_feeding) {
    attention_->Backward(0, T);
    AddQueryGradient(0, R, d_s);
  }
  stack_.BeginBackwardSteps({.initial_state = &d_state_});
  for (int64_t t = T - 1; t >= 0; --t) BackwardStep(t);
  stack_.FinishBackwardSteps();
  if (attention_) attention_->FinishBackward(d_outputs);
}

void Decoder::BackwardStep(int64_t t) {
  const int64_t row = steps_.first_row(t), items = steps_.items_at(t), H = units_;
  float* d_s = d_outputs_.data() + row * H;
  if (options_.input_feeding) {
    float* d_r = readout_->d_readouts() + row * H;
    const int64_t fed = t + 1 < steps_.time_steps() ? steps_.items_at(t + 1) * H : 0;
    for (int64_t i = 0; i < fed; ++i) d_r[i] += d_fed_.data()[i];
    readout_->Backward(t, t + 1, d_outputs_.data());
    attention_->Backward(t, t + 1);
    AddQueryGradient(row, items, d_s);
  }
  const float* d_x = stack_.BackwardStep(t, d_s);
  if (options_.input_feeding) {
    input_.TakeGradient(row, items, d_x, d_fed_.data(), false);
  } else if (is(Conditioning::kBahdanau) || is(Conditioning::kContext)) {
    input_.TakeGradient(row, items, d_x, readout_->d_contexts() + row * context_size_, true);
  } else {
    input_.TakeGradient(row, items, d_x, nullptr, false);
  }
  if (is(Conditioning::kBahdanau)) {
    attention_->Backward(t, t + 1);
    AddQueryGradient(row, items, stack_.d_state_before());
  }
}

void Decoder::BeginSearch(const DecoderSource& source) {
  source_ = source;
  if (attention_) attention_->SetSource(source.steps, source.outputs);
  if (readout_) readout_->BeginSingleSteps();
  stack_.BeginSingleSteps();
  output_.PackWeights();
}

const float* Decoder::SearchStep(int64_t rows, const int64_t* source_of, const int32_t* tokens,
                                 const float* fed, RecurrentState& state) {
  const int64_t H = units_, C = context_size_;
  const PackedSteps steps = PackedSteps::Uniform(1, rows);
  input_.Begin(steps, tokens, nullptr, true);
  float* contexts = readout_ ? contexts_.Require(rows * C) : nullptr;
  if (is(Conditioning::kContext)) {
    for (int64_t i = 0; i < rows; ++i) {
      std::copy_n(source_.summary + source_of[i] * C, C, contexts + i * C);
    }
  }
  if (is(Conditioning::kBahdanau)) {
    const float* queries = state.h.data() + (state.layers - 1) * rows * H;
    attention_->Begin(steps, source_of, queries, contexts);
    attention_->Forward(0, 1);
  }
  if (input_.extra_size() > 0) input_.SetExtra(0, rows, options_.input_feeding ? fed : contexts);
  const float* outputs = stack_.SingleStep(rows, input_.rows(0), state);
  if (is(Conditioning::kLuong)) {
    attention_->Begin(steps, source_of, outputs, contexts);
    attention_->Forward(0, 1);
  }
  return readout_ ? readout_->SingleStep(rows, contexts, outputs) : outputs;
}

}  // namespace lockstep::worker
