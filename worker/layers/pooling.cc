#include "worker/layers/pooling.h"

#include <algorithm>
#include <cmath>

#include "worker/layers/pooling_kernels.h"
#include "worker/products/gemm.h"

namespace lockstep::worker {

PoolingLayer::PoolingLayer(Pooling kind, int64_t directions, int64_t units, Parameters& parameters)
    : kind_(kind),
      directions_(directions),
      units_(units),
      width_(directions * units),
      parameters_(parameters) {
  if (kind != Pooling::kAttention) return;
  attention_.emplace(width_, width_, "attention", parameters);
  vector_ = parameters.Add("attention.vector", {width_},
                           UniformDraw(1.0 / std::sqrt(static_cast<double>(width_))));
}

void PoolingLayer::Forward(const PackedSteps& steps, const float* outputs,
                           const RecurrentState& state, float* pooled) {
  steps_ = &steps;
  outputs_ = outputs;
  switch (kind_) {
    case Pooling::kLast: {
      const int64_t B = steps.items(), H = units_;
      const float* last = state.h.data() + (state.layers - directions_) * B * H;
      for (int64_t row = 0; row < directions_ * B; ++row) {
        std::copy_n(last + row * H, H, pooled + (row % B * directions_ + row / B) * H);
      }
      return;
    }
    case Pooling::kMean:
      return Mean(pooled);
    case Pooling::kMax:
      return Max(pooled);
    case Pooling::kAttention:
      return Attend(pooled);
  }
}

void PoolingLayer::Mean(float* pooled) const {
  const PackedSteps& steps = *steps_;
#pragma omp parallel for schedule(dynamic)
  for (int64_t item = 0; item < steps.items(); ++item) {
    float* sum = pooled + item * width_;
    std::fill_n(sum, width_, 0.0f);
    const float share = 1.0f / static_cast<float>(steps.length(item));
    for (int64_t t = 0; t < steps.length(item); ++t) {
      AddScaledRow(width_, share, outputs_ + (steps.first_row(t) + item) * width_, sum);
    }
  }
}

void PoolingLayer::Max(float* pooled) {
  const PackedSteps& steps = *steps_;
  largest_.assign(steps.items() * width_, 0);
#pragma omp parallel for schedule(dynamic)
  for (int64_t item = 0; item < steps.items(); ++item) {
    float* most = pooled + item * width_;
    std::copy_n(outputs_ + item * width_, width_, most);
    for (int64_t t = 1; t < steps.length(item); ++t) {
      KeepLargest(width_, static_cast<int32_t>(t), outputs_ + (steps.first_row(t) + item) * width_,
                  most, largest_.data() + item * width_);
    }
  }
}

void PoolingLayer::Attend(float* pooled) {
  const PackedSteps& steps = *steps_;
  const int64_t rows = steps.rows();
  float* hidden = hidden_.Require(rows * width_);
  float* scores = scores_.Require(rows);
  attention_->Forward(rows, outputs_, hidden);
  const float* vector = parameters_.value(vector_);
#pragma omp parallel for schedule(static)
  for (int64_t row = 0; row < rows; ++row) {
    scores[row] = TanhAndProduct(width_, vector, hidden + row * width_);
  }
#pragma omp parallel for schedule(dynamic)
  for (int64_t item = 0; item < steps.items(); ++item) {
    const int64_t n = steps.length(item);
    float most = scores[item], sum = 0.0f;
    for (int64_t t = 1; t < n; ++t) most = std::max(most, scores[steps.first_row(t) + item]);
    for (int64_t t = 0; t < n; ++t) {
      float& score = scores[steps.first_row(t) + item];
      score = std::exp(score - most);
      sum += score;
    }
    float* context = pooled + item * width_;
    std::fill_n(context, width_, 0.0f);
    for (int64_t t = 0; t < n; ++t) {
      const int64_t row = steps.first_row(t) + item;
      scores[row] /= sum;
      AddScaledRow(width_, scores[row], outputs_ + row * width_, context);
    }
  }
}

void PoolingLayer::Backward(const float* d_pooled, float* d_outputs, bool accumulate,
                            RecurrentState& d_state) {
  const PackedSteps& steps = *steps_;
  const int64_t B = steps.items(), H = units_;
  if (kind_ == Pooling::kLast) {
    float* last = d_state.h.data() + (d_state.layers - directions_) * B * H;
    for (int64_t row = 0; row < directions_ * B; ++row) {
      std::copy_n(d_pooled + (row % B * directions_ + row / B) * H, H, last + row * H);
    }
    return;
  }
  if (kind_ == Pooling::kAttention) return AttendBackward(d_pooled, d_outputs, accumulate);
#pragma omp parallel for schedule(dynamic)
  for (int64_t item = 0; item < B; ++item) {
    const float* d = d_pooled + item * width_;
    const float share = 1.0f / static_cast<float>(steps.length(item));
    for (int64_t t = 0; t < steps.length(item); ++t) {
      float* to = d_outputs + (steps.first_row(t) + item) * width_;
      if (!accumulate) std::fill_n(to, width_, 0.0f);
      if (kind_ == Pooling::kMean) AddScaledRow(width_, share, d, to);
    }
    if (kind_ == Pooling::kMean) continue;
    const int32_t* places = largest_.data() + item * width_;
    for (int64_t unit = 0; unit < width_; ++unit) {
      d_outputs[(steps.first_row(places[unit]) + item) * width_ + unit] += d[unit];
    }
  }
}

// With d_a = d_pooled . h: d_score = a (d_a - sum of a d_a over the item's rows).
void PoolingLayer::AttendBackward(const float* d_pooled, float* d_outputs, bool accumulate) {
  const PackedSteps& steps = *steps_;
  const int64_t rows = steps.rows();
  float* d_scores = d_scores_.Require(rows);
#pragma omp parallel for schedule(dynamic)
  for (int64_t item = 0; item < steps.items(); ++item) {
    const float* d = d_pooled + item * width_;
    float mean = 0.0f;
    for (int64_t t = 0; t < steps.length(item); ++t) {
      const int64_t row = steps.first_row(t) + item;
      d_scores[row] = RowProduct(width_, d, outputs_ + row * width_);
      mean += scores_.data()[row] * d_scores[row];
      float* to = d_outputs + row * width_;
      if (!accumulate) std::fill_n(to, width_, 0.0f);
      AddScaledRow(width_, scores_.data()[row], d, to);
    }
    for (int64_t t = 0; t < steps.length(item); ++t) {
      const int64_t row = steps.first_row(t) + item;
      d_scores[row] = scores_.data()[row] * (d_scores[row] - mean);
    }
  }
  float* hidden = hidden_.data();
  MatMul(1, width_, rows, {d_scores, rows}, {hidden, width_}, parameters_.gradient(vector_), width_,
         true);
#pragma omp parallel for schedule(static)
  for (int64_t row = 0; row < rows; ++row) {
    TanhAndProductBackward(width_, d_scores[row], parameters_.value(vector_),
                           hidden + row * width_);
  }
  attention_->Backward(rows, outputs_, hidden, d_outputs, true);
}

}  // namespace lockstep::worker
