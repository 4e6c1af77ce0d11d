#include "worker/models/forecast_network.h"

#include <algorithm>

namespace lockstep::worker {

NetworkInputs::NetworkInputs(const ForecasterOptions& options, int64_t steps,
                             ForecastFeatures& features)
    : steps_(steps),
      width_(WidthOf(options)),
      channels_of_item_(options.channels_together ? 1 : options.channels),
      masks_(options.mask_inputs ? 1 : 0),
      features_(features),
      size_(steps * (width_ * (1 + masks_) + features.known_size()) + features.constant_size()) {}

void NetworkInputs::FillRow(int64_t group, int64_t row, float* x) const {
  const int64_t R = input_.rows, W = width_, first = group * steps_;
  const int64_t batch_row = row % input_.batch_rows;
  const int64_t item = batch_row / channels_of_item_, channel = batch_row % channels_of_item_;
  for (const float* from : {input_.values, masks_ ? input_.missing : nullptr}) {
    for (int64_t j = 0; j < steps_ && from; ++j) {
      x = std::copy_n(from + ((first + j) * R + row) * W, W, x);
    }
  }
  for (int64_t j = 0; j < steps_ && features_.known_size() > 0; ++j) {
    features_.Known(*input_.batch, input_.known_time + first + j, item, x);
    x += features_.known_size();
  }
  features_.Constant(*input_.batch, item, channel, x);
}

const float* NetworkInputs::Forward(const NetworkInput& input) {
  input_ = input;
  if (size_ == width_) return input.values;
  const int64_t rows = input.time_steps / steps_ * input.rows;
  float* x = x_.Require(rows * size_);
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < rows; ++i) FillRow(i / input.rows, i % input.rows, x + i * size_);
  return x;
}

void NetworkInputs::Backward(const float* d_x) {
  const int64_t rows = input_.time_steps / steps_ * input_.rows;
  const int64_t known = features_.known_size(), constant = features_.constant_size();
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t group = i / input_.rows, batch_row = i % input_.rows % input_.batch_rows;
    const int64_t item = batch_row / channels_of_item_, channel = batch_row % channels_of_item_;
    const float* d = d_x + (i + 1) * size_ - constant - steps_ * known;
    for (int64_t j = 0; j < steps_; ++j, d += known) {
      features_.AddKnownGradient(*input_.batch, input_.known_time + group * steps_ + j, item, d);
    }
    features_.AddConstantGradient(*input_.batch, item, channel, d);
  }
  features_.FinishGradient();
}

FutureCovariates::FutureCovariates(const ForecasterOptions& options, ForecastFeatures& features,
                                   Parameters& parameters)
    : outputs_(options.loss.outputs()),
      width_(WidthOf(options)),
      channels_of_item_(options.channels_together ? 1 : options.channels),
      features_(features),
      hidden_(features.known_size() + features.constant_size(), options.hidden_size,
              "covariates.hidden", parameters),
      projection_(options.hidden_size, outputs_ * width_, "covariates.projection", parameters,
                  false) {}

// visit(a, b) for every value: its places in `out` [T_f, R, P, W] and in raw [G R, P, J, W].
template <class Visit>
void FutureCovariates::ForEachPlace(const Visit& visit) const {
  const int64_t R = layout_.rows, J = layout_.steps, W = width_, P = outputs_;
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < layout_.groups * R; ++i) {
    const int64_t group = i / R, row = i % R;
    for (int64_t p = 0; p < P; ++p) {
      for (int64_t j = 0; j < J; ++j) {
        for (int64_t w = 0; w < W; ++w) {
          visit((((group * J + j) * R + row) * P + p) * W + w, ((i * P + p) * J + j) * W + w);
        }
      }
    }
  }
}

void FutureCovariates::Forward(const NetworkInput& input, int64_t first_time,
                               const RawLayout& layout, float* raw) {
  input_ = input;
  layout_ = layout;
  first_time_ = first_time;
  const int64_t rows = layout.groups * layout.steps * layout.rows, R = layout.rows;
  const int64_t size = hidden_.input_size();
  float* f = f_.Require(rows * size);
#pragma omp parallel for schedule(static)
  for (int64_t i = 0; i < rows; ++i) {
    const int64_t item = i % R / channels_of_item_, channel = i % R % channels_of_item_;
    features_.Known(*input.batch, first_time + i / R, item, f + i * size);
    features_.Constant(*input.batch, item, channel, f + i * size + features_.known_size());
  }
  float* u = u_.Require(rows * hidden_.output_size());
  hidden_.Forward(rows, f, u);
  Relu(rows * hidden_.output_size(), u);
  float* out = out_.Require(rows * projection_.output_size());
  projection_.Forward(rows, u, out);
  ForEachPlace([=](int64_t from, int64_t to) { raw[to] += out[from]; });
}

void FutureCovariates::Backward(const float* d_raw) {
  const int64_t rows = layout_.groups * layout_.steps * layout_.rows, R = layout_.rows;
  float* d_out = out_.data();
  ForEachPlace([=](int64_t to, int64_t from) { d_out[to] = d_raw[from]; });
  float* d_u = d_u_.Require(rows * hidden_.output_size());
  projection_.Backward(rows, u_.data(), d_out, d_u);
  ReluBackward(rows * hidden_.output_size(), u_.data(), d_u);
  const bool vectors = features_.has_known_vectors() || features_.has_constant_vectors();
  const int64_t size = hidden_.input_size();
  float* d_f = vectors ? d_f_.Require(rows * size) : nullptr;
  hidden_.Backward(rows, f_.data(), d_u, d_f);
  for (int64_t i = 0; i < rows && vectors; ++i) {
    const int64_t item = i % R / channels_of_item_, channel = i % R % channels_of_item_;
    features_.AddKnownGradient(*input_.batch, first_time_ + i / R, item, d_f + i * size);
    features_.AddConstantGradient(*input_.batch, item, channel,
                                  d_f + i * size + features_.known_size());
  }
  if (vectors) features_.FinishGradient();
}

int64_t FutureCovariates::FloatsOfRow() const {
  return 2 * hidden_.input_size() + 2 * hidden_.output_size() + projection_.output_size();
}

}  // namespace lockstep::worker
