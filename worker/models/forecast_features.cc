#include "worker/models/forecast_features.h"

#include <algorithm>

namespace lockstep::worker {

ForecastFeatures::ForecastFeatures(const ForecasterOptions& options, bool with_channel,
                                   Parameters& parameters)
    : known_numeric_(options.known_numeric),
      static_numeric_(options.static_numeric),
      parameters_(parameters),
      known_size_(options.known_numeric),
      constant_size_(options.static_numeric) {
  const int64_t size = options.category_embedding;
  for (size_t i = 0; i < options.known_categories.size(); ++i) {
    known_.push_back(MakeVectors("known." + std::to_string(i), options.known_categories[i], size));
    known_size_ += size;
  }
  for (size_t i = 0; i < options.static_categories.size(); ++i) {
    static_.push_back(
        MakeVectors("static." + std::to_string(i), options.static_categories[i], size));
    constant_size_ += size;
  }
  if (with_channel) {
    channel_ = MakeVectors("channel", options.channels, options.channel_embedding);
    constant_size_ += options.channel_embedding;
  }
}

ForecastFeatures::Vectors ForecastFeatures::MakeVectors(const std::string& name, int64_t values,
                                                        int64_t size) {
  return {size, parameters_.Add(name + ".weight", {values, size}, NormalDraw()),
          std::vector<double>(values * size)};
}

float* ForecastFeatures::Write(const Vectors& vectors, int32_t value, float* out) const {
  if (value < 0) return std::fill_n(out, vectors.size, 0.0f);
  return std::copy_n(parameters_.value(vectors.weight) + value * vectors.size, vectors.size, out);
}

const float* ForecastFeatures::Add(Vectors& vectors, int32_t value, const float* d) {
  if (value >= 0) {
    double* sums = vectors.gradient.data() + value * vectors.size;
    for (int64_t j = 0; j < vectors.size; ++j) sums[j] += d[j];
  }
  return d + vectors.size;
}

void ForecastFeatures::Known(const ForecastBatch& batch, int64_t time, int64_t item,
                             float* out) const {
  const int64_t row = time * batch.items + item, number = std::ssize(known_);
  if (known_numeric_ > 0) {
    out = std::copy_n(batch.known + row * known_numeric_, known_numeric_, out);
  }
  for (int64_t i = 0; i < number; ++i) {
    out = Write(known_[i], batch.known_categories[row * number + i], out);
  }
}

void ForecastFeatures::Constant(const ForecastBatch& batch, int64_t item, int64_t channel,
                                float* out) const {
  const int64_t number = std::ssize(static_);
  if (static_numeric_ > 0) {
    out = std::copy_n(batch.statics + item * static_numeric_, static_numeric_, out);
  }
  for (int64_t i = 0; i < number; ++i) {
    out = Write(static_[i], batch.static_categories[item * number + i], out);
  }
  if (channel_) Write(*channel_, static_cast<int32_t>(channel), out);
}

void ForecastFeatures::AddKnownGradient(const ForecastBatch& batch, int64_t time, int64_t item,
                                        const float* d) {
  const int64_t row = time * batch.items + item, number = std::ssize(known_);
  d += known_numeric_;
  for (int64_t i = 0; i < number; ++i) {
    d = Add(known_[i], batch.known_categories[row * number + i], d);
  }
}

void ForecastFeatures::AddConstantGradient(const ForecastBatch& batch, int64_t item,
                                           int64_t channel, const float* d) {
  const int64_t number = std::ssize(static_);
  d += static_numeric_;
  for (int64_t i = 0; i < number; ++i) {
    d = Add(static_[i], batch.static_categories[item * number + i], d);
  }
  if (channel_) Add(*channel_, static_cast<int32_t>(channel), d);
}

void ForecastFeatures::FinishGradient() {
  const auto finish = [this](Vectors& vectors) {
    float* gradient = parameters_.gradient(vectors.weight);
    for (size_t i = 0; i < vectors.gradient.size(); ++i) {
      gradient[i] = static_cast<float>(gradient[i] + vectors.gradient[i]);
    }
    std::ranges::fill(vectors.gradient, 0.0);
  };
  std::ranges::for_each(known_, finish);
  std::ranges::for_each(static_, finish);
  if (channel_) finish(*channel_);
}

}  // namespace lockstep::worker
