#include "worker/layers/token_input.h"

namespace lockstep::worker {

TokenInput::TokenInput(int64_t vocabulary_size, int64_t embedding_size, Draw draw,
                       Parameters& parameters, double embedding_dropout, const std::string& name)
    : vocabulary_size_(vocabulary_size),
      embedding_dropout_(embedding_dropout),
      parameters_(parameters) {
  if (embedding_size > 0)
    embedding_.emplace(vocabulary_size, embedding_size, parameters, draw, name);
}

bool TokenInput::UsesTable(int64_t rows) const {
  return !embedding_ || vocabulary_size_ <= rows / 2;
}

StackInput TokenInput::Forward(int64_t rows, const int32_t* tokens, bool table,
                               const DropoutSite* site) {
  has_site_ = site != nullptr;
  if (site) site_ = *site;
  StackInput input;
  if (!table) {
    input.x = embedding_->Forward(rows, tokens);
    if (drops()) {
      float* dropped = dropped_.Require(rows * size());
      DropTokens(site_, embedding_dropout_, rows, tokens, size(), input.x, dropped);
      input.x = dropped;
    }
    return input;
  }
  input.tokens = tokens;
  input.vectors.vocabulary_size = vocabulary_size_;
  if (embedding_) {
    input.vectors.vectors = parameters_.value(weight());
    input.vectors.d_vectors = parameters_.gradient(weight());
  }
  return input;
}

void TokenInput::Backward(int64_t rows, const int32_t* tokens, float* d_x) {
  if (!d_x) return;
  if (drops()) DropTokens(site_, embedding_dropout_, rows, tokens, size(), d_x, d_x);
  embedding_->Backward(rows, tokens, d_x);
}

int64_t TokenInput::FloatsOfRow() const {
  if (!embedding_) return 0;
  return embedding_->size() * (embedding_dropout_ > 0.0 ? 2 : 1);
}

}  // namespace lockstep::worker
