#ifndef LOCKSTEP_WORKER_MODELS_FORECAST_FEATURES_H_
#define LOCKSTEP_WORKER_MODELS_FORECAST_FEATURES_H_

#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "worker/models/forecaster.h"
#include "worker/parameters.h"

namespace lockstep::worker {

/// The covariates of a batch as vectors. Known ones of an item and a time: numbers, then the learnt
/// vectors of its categories. Constant ones of a row: static numbers, learnt vectors of the static
/// categories, and, where asked for, that of the channel.
class ForecastFeatures {
 public:
  /// Adds its parameters: "known.0.weight" [values, E] and so on, "static.0.weight",
  /// "channel.weight". `parameters` must outlive this.
  ForecastFeatures(const ForecasterOptions& options, bool with_channel, Parameters& parameters);

  int64_t known_size() const { return known_size_; }
  int64_t constant_size() const { return constant_size_; }

  /// Writes known_size() floats of batch.known[time] of an item.
  void Known(const ForecastBatch& batch, int64_t time, int64_t item, float* out) const;
  /// Writes constant_size() floats of an item and channel.
  void Constant(const ForecastBatch& batch, int64_t item, int64_t channel, float* out) const;

  /// Takes the gradient of what Known or Constant wrote. One thread calls, in an order that does
  /// not depend on threads.
  void AddKnownGradient(const ForecastBatch& batch, int64_t time, int64_t item, const float* d);
  void AddConstantGradient(const ForecastBatch& batch, int64_t item, int64_t channel,
                           const float* d);
  /// Adds what was taken to the gradients of the parameters.
  void FinishGradient();

  /// Whether Known or Constant has learnt vectors, so that their gradients are wanted.
  bool has_known_vectors() const { return !known_.empty(); }
  bool has_constant_vectors() const { return !static_.empty() || channel_.has_value(); }

 private:
  // Learnt vectors of one category. Sums of many rows are taken in double.
  struct Vectors {
    int64_t size;
    int weight;
    std::vector<double> gradient;
  };
  Vectors MakeVectors(const std::string& name, int64_t values, int64_t size);
  float* Write(const Vectors& vectors, int32_t value, float* out) const;
  static const float* Add(Vectors& vectors, int32_t value, const float* d);

  const int64_t known_numeric_, static_numeric_;
  Parameters& parameters_;
  std::vector<Vectors> known_, static_;
  std::optional<Vectors> channel_;
  int64_t known_size_ = 0, constant_size_ = 0;
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_MODELS_FORECAST_FEATURES_H_
