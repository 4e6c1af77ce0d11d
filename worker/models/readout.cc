#include "worker/models/readout.h"

#include <cmath>

#include "worker/layers/tanh.h"

namespace lockstep::worker {

Readout::Readout(int64_t context_size, int64_t units, double dropout, Parameters& parameters)
    : context_size_(context_size),
      units_(units),
      dropout_(dropout),
      parameters_(parameters),
      weight_(parameters.Add(
          "readout.weight", {units, context_size + units},
          UniformDraw(1.0 / std::sqrt(static_cast<double>(context_size + units))))) {}

void Readout::Pack() {
  const float* weight = parameters_.value(weight_);
  context_weights_.PackForAnyRows(units_, context_size_, context_size_, {weight, width(), true});
  output_weights_.PackForAnyRows(units_, units_, units_, {weight + context_size_, width(), true});
}

void Readout::Begin(const PackedSteps& steps, const float* contexts, const DropoutSite* site) {
  steps_ = steps;
  contexts_ = contexts;
  has_site_ = site != nullptr;
  if (site) site_ = *site;
  if (drops()) dropped_.Require(steps.rows() * context_size_);
  r_.Require(steps.rows() * units_);
  Pack();
}

void Readout::Drop(int64_t first, int64_t last, const float* x, float* out) const {
  const int64_t C = context_size_;
  if (last - first == steps_.time_steps()) return Dropout(site_, dropout_, steps_, C, x, out);
  for (int64_t t = first; t < last; ++t) {
    const int64_t at = steps_.first_row(t) * C;
    DropoutOfStep(site_, dropout_, t, steps_.items_at(t), C, x + at, out + at);
  }
}

const float* Readout::Forward(int64_t first, int64_t last, const float* outputs) {
  outputs_ = outputs;
  const int64_t C = context_size_, H = units_;
  const int64_t row = steps_.first_row(first), rows = steps_.first_row(last) - row;
  if (drops()) Drop(first, last, contexts_, dropped_.data());
  float* r = r_.data() + row * H;
  context_weights_.Multiply(rows, dropped() + row * C, r);
  output_weights_.Multiply(rows, outputs + row * H, r, true);
  Tanh(rows * H, r);
  return r;
}

const float* Readout::SingleStep(int64_t rows, const float* contexts, const float* outputs) {
  float* r = r_.Require(rows * units_);
  context_weights_.Multiply(rows, contexts, r);
  output_weights_.Multiply(rows, outputs, r, true);
  Tanh(rows * units_, r);
  return r;
}

void Readout::BeginBackward() {
  const float* weight = parameters_.value(weight_);
  d_contexts_.Require(steps_.rows() * context_size_);
  context_weights_back_.PackForAnyRows(context_size_, units_, units_, {weight, width()});
  output_weights_back_.PackForAnyRows(units_, units_, units_, {weight + context_size_, width()});
}

void Readout::Backward(int64_t first, int64_t last, float* d_outputs) {
  const int64_t C = context_size_, H = units_;
  const int64_t row = steps_.first_row(first), rows = steps_.first_row(last) - row;
  float* d_r = d_r_.data() + row * H;
  TanhBackward(rows * H, r_.data() + row * H, d_r);
  context_weights_back_.Multiply(rows, d_r, d_contexts_.data() + row * C);
  output_weights_back_.Multiply(rows, d_r, d_outputs + row * H);
  if (drops()) Drop(first, last, d_contexts_.data(), d_contexts_.data());
}

void Readout::FinishBackward() {
  const int64_t C = context_size_, H = units_, R = steps_.rows();
  float* gradient = parameters_.gradient(weight_);
  MatMul(H, C, R, {d_r_.data(), H, true}, {dropped(), C}, gradient, width(), true);
  MatMul(H, H, R, {d_r_.data(), H, true}, {outputs_, H}, gradient + C, width(), true);
}

}  // namespace lockstep::worker
