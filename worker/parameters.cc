#include "worker/parameters.h"

#include <algorithm>

namespace lockstep::worker {

int Parameters::Add(std::string name, std::vector<int64_t> shape, Draw draw) {
  int64_t size = 1;
  for (const int64_t extent : shape) size *= extent;
  list_.push_back({std::move(name), std::move(shape), size_, size, draw});
  size_ += size;
  return static_cast<int>(list_.size()) - 1;
}

void Parameters::Allocate(bool with_gradient) {
  std::fill_n(values_.Require(size_), size_, 0.0f);
  if (with_gradient) std::fill_n(gradient_.Require(size_), size_, 0.0f);
}

void Parameters::ClearGradient() {
  float* gradient = gradient_.data();
  const int64_t size = gradient_.capacity();
#pragma omp parallel for simd schedule(static)
  for (int64_t i = 0; i < size; ++i) gradient[i] = 0.0f;
}

int Parameters::Find(const std::string& name) const {
  for (size_t i = 0; i < list_.size(); ++i) {
    if (list_[i].name == name) return static_cast<int>(i);
  }
  return -1;
}

}  // namespace lockstep::worker
