#include "worker/models/decoder_input.h"

#include <algorithm>

namespace lockstep::worker {

DecoderInput::DecoderInput(int64_t vocabulary_size, int64_t embedding_size, int64_t extra_size,
                           Draw draw, double dropout, Parameters& parameters)
    : vocabulary_size_(vocabulary_size),
      token_size_(embedding_size > 0 ? embedding_size : vocabulary_size),
      extra_size_(extra_size),
      dropout_(dropout) {
  if (embedding_size > 0) {
    embedding_.emplace(vocabulary_size, embedding_size, parameters, draw,
                       "decoder.embedding.weight");
  }
}

void DecoderInput::CopyTokens(int64_t row, int64_t rows, const float* embedded) {
  const int64_t E = token_size_;
  float* x = x_.data() + row * size();
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < rows; ++i) {
    if (embedded) {
      std::copy_n(embedded + i * E, E, x + i * size());
    } else {
      std::fill_n(x + i * size(), E, 0.0f);
      x[i * size() + tokens_[row + i]] = 1.0f;
    }
  }
}

void DecoderInput::Begin(const PackedSteps& steps, const int32_t* tokens, const DropoutSite* site,
                         bool stepwise) {
  stepwise_ = stepwise;
  steps_ = steps;
  tokens_ = tokens;
  has_site_ = site != nullptr;
  if (site) site_ = *site;
  if (reads_tokens()) return;
  const int64_t R = steps.rows(), E = token_size_;
  x_.Require(R * size());
  const float* embedded = embedding_ ? embedding_->Forward(R, tokens) : nullptr;
  if (drops()) {
    Dropout(site_, dropout_, steps, E, embedded, dropped_.Require(R * E));
    embedded = dropped_.data();
  }
  CopyTokens(0, R, embedded);
}

void DecoderInput::FillStep(int64_t t) {
  const int64_t row = steps_.first_row(t), items = steps_.items_at(t);
  const float* embedded = embedding_ ? embedding_->Forward(items, tokens_ + row) : nullptr;
  if (drops()) {
    DropoutOfStep(site_, dropout_, t, items, token_size_, embedded, dropped_.data());
    embedded = dropped_.data();
  }
  CopyTokens(row, items, embedded);
}

void DecoderInput::SetExtra(int64_t row, int64_t rows, const float* extra) {
  float* x = x_.data() + row * size() + token_size_;
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < rows; ++i) {
    std::copy_n(extra + i * extra_size_, extra_size_, x + i * size());
  }
}

StackInput DecoderInput::All() const {
  StackInput input;
  if (reads_tokens()) {
    input.tokens = tokens_;
    input.vectors.vocabulary_size = vocabulary_size_;
  } else {
    input.x = x_.data();
  }
  return input;
}

void DecoderInput::TakeGradient(int64_t row, int64_t rows, const float* d_x, float* d_extra,
                                bool add) {
  const int64_t E = token_size_, X = extra_size_;
  float* d_embedded = embedding_ ? d_embedded_.Require(steps_.rows() * E) : nullptr;
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < rows; ++i) {
    const float* from = d_x + i * size();
    if (d_embedded) std::copy_n(from, E, d_embedded + (row + i) * E);
    if (!d_extra) continue;
    float* to = d_extra + i * X;
    for (int64_t j = 0; j < X; ++j) to[j] = add ? to[j] + from[E + j] : from[E + j];
  }
}

void DecoderInput::Backward() {
  if (!embedding_) return;
  float* d_embedded = d_embedded_.data();
  if (drops()) Dropout(site_, dropout_, steps_, token_size_, d_embedded, d_embedded);
  embedding_->Backward(steps_.rows(), tokens_, d_embedded);
}

int64_t DecoderInput::FloatsOfRow() const {
  const int64_t embedded = embedding_ ? token_size_ * (dropout_ > 0.0 ? 3 : 2) : 0;
  return size() + embedded;
}

}  // namespace lockstep::worker
