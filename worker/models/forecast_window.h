#ifndef LOCKSTEP_WORKER_MODELS_FORECAST_WINDOW_H_
#define LOCKSTEP_WORKER_MODELS_FORECAST_WINDOW_H_

#include <cstdint>
#include <vector>

#include "worker/models/forecaster.h"

namespace lockstep::worker {

/// The centre m and the scale s of each window and channel: the network sees (x - m) / s. Series
/// are items * C + channel.
class WindowScaling {
 public:
  WindowScaling(Normalization normalization, ForecastLoss::Kind loss);

  /// From `history` [T, series], NaN where nothing was observed.
  void Learn(int64_t time_steps, int64_t series, const float* history);

  /// out = (x - m) / s, 0 where x is NaN; both are [T, series]. With `missing`, 1 there and 0
  /// elsewhere.
  void Apply(int64_t time_steps, const float* x, float* out, float* missing) const;

  const float* centre() const { return centre_.data(); }  ///< [series]
  const float* scale() const { return scale_.data(); }    ///< [series]

 private:
  const Normalization normalization_;
  const bool counts_;
  std::vector<float> centre_, scale_;
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_MODELS_FORECAST_WINDOW_H_
