#include "worker/layers/linear.h"

#include <cmath>

namespace lockstep::worker {
namespace {

Draw DrawOf(int64_t input_size) {
  return UniformDraw(1.0 / std::sqrt(static_cast<double>(input_size)));
}

}  // namespace

Linear::Linear(int64_t input_size, int64_t output_size, const std::string& name,
               Parameters& parameters, bool bias)
    : input_size_(input_size),
      output_size_(output_size),
      parameters_(parameters),
      weight_(parameters.Add(name + ".weight", {output_size, input_size}, DrawOf(input_size))),
      bias_(bias ? parameters.Add(name + ".bias", {output_size}, DrawOf(input_size)) : -1) {}

void Linear::Forward(int64_t rows, const float* x, float* y, bool accumulate) const {
  MatMul(rows, output_size_, input_size_, {x, input_size_},
         {parameters_.value(weight_), input_size_, true}, y, output_size_, accumulate,
         bias_ >= 0 ? parameters_.value(bias_) : nullptr);
}

void Linear::Backward(int64_t rows, const float* x, const float* d_y, float* d_x, bool add_to_d_x) {
  const int64_t I = input_size_, O = output_size_;
  AddLinearGradients(rows, O, I, d_y, O, x, parameters_.gradient(weight_),
                     bias_ >= 0 ? parameters_.gradient(bias_) : nullptr);
  if (d_x) MatMul(rows, I, O, {d_y, O}, {parameters_.value(weight_), I}, d_x, I, add_to_d_x);
}

void Linear::PackWeights(PackedMatrix& packed) const {
  packed.PackForAnyRows(output_size_, input_size_, input_size_,
                        {parameters_.value(weight_), input_size_, true});
}

// NaN passes, so that a training that has diverged shows it.
void Relu(int64_t size, float* x) {
#pragma omp parallel for simd schedule(static)
  for (int64_t i = 0; i < size; ++i) x[i] = x[i] < 0.0f ? 0.0f : x[i];
}

void ReluBackward(int64_t size, const float* y, float* d) {
#pragma omp parallel for simd schedule(static)
  for (int64_t i = 0; i < size; ++i) d[i] = y[i] > 0.0f ? d[i] : 0.0f;
}

}  // namespace lockstep::worker
