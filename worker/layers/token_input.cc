#include "worker/layers/token_input.h"

namespace lockstep::worker {

TokenInput::TokenInput(int64_t vocabulary_size, int64_t embedding_size, Draw draw,
                       Parameters& parameters, const std::string& name)
    : vocabulary_size_(vocabulary_size), parameters_(parameters) {
  if (embedding_size > 0)
    embedding_.emplace(vocabulary_size, embedding_size, parameters, draw, name);
}

bool TokenInput::UsesTable(int64_t rows) const {
  return !embedding_ || vocabulary_size_ <= rows / 2;
}

StackInput TokenInput::Forward(int64_t rows, const int32_t* tokens, bool table) {
  StackInput input;
  if (!table) {
    input.x = embedding_->Forward(rows, tokens);
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

void TokenInput::Backward(int64_t rows, const int32_t* tokens, const float* d_x) {
  if (d_x) embedding_->Backward(rows, tokens, d_x);
}

}  // namespace lockstep::worker
