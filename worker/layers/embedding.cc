#include "worker/layers/embedding.h"

#include <cstring>

namespace lockstep::worker {

Embedding::Embedding(int64_t vocabulary_size, int64_t embedding_size, Parameters& parameters,
                     Draw draw, const std::string& name)
    : size_(embedding_size),
      parameters_(parameters),
      weight_(parameters.Add(name, {vocabulary_size, embedding_size}, draw)) {}

const float* Embedding::Forward(int64_t rows, const int32_t* tokens) {
  float* x = x_.Require(rows * size_);
  const float* weight = parameters_.value(weight_);
  for (int64_t row = 0; row < rows; ++row) {
    std::memcpy(x + row * size_, weight + tokens[row] * size_, size_ * sizeof(float));
  }
  return x;
}

void Embedding::Backward(int64_t rows, const int32_t* tokens, const float* d_x) {
  float* gradient = parameters_.gradient(weight_);
  for (int64_t row = 0; row < rows; ++row) {
    float* sums = gradient + tokens[row] * size_;
    for (int64_t j = 0; j < size_; ++j) sums[j] += d_x[row * size_ + j];
  }
}

}  // namespace lockstep::worker
