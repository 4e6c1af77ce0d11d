#ifndef LOCKSTEP_TESTS_WORKER_REFERENCE_FORECASTER_H_
#define LOCKSTEP_TESTS_WORKER_REFERENCE_FORECASTER_H_

#include <cstdint>
#include <string>
#include <vector>

#include "tests/worker/reference_cell.h"
#include "tests/worker/reference_model.h"
#include "worker/models/forecaster.h"

namespace lockstep::worker {

/// The loss of one target as ForecastLoss's formulas read; o are the raw outputs.
double ReferenceTargetLoss(const ForecastLoss& loss, const std::vector<double>& o, double y,
                           double centre, double scale);

/// The forecaster as its formulas read: plain loops over single rows, in double, nothing shared
/// with worker/ but the option structs. It only runs forward.
class ReferenceForecaster {
 public:
  ReferenceForecaster(const ForecasterOptions& options, const Parameters& parameters);

  /// The values of a parameter, which a test may change.
  std::vector<double>& value(const std::string& name) { return values_.at(name); }

  /// The sum of losses over the batch. kStream begins with `state`, [L, B, C H] or [L, B, H], and
  /// moves it on. Without a site there is no dropout.
  double Loss(const ForecastBatch& batch, ReferenceState* state, const DropoutSite* site) const;

 private:
  using Array = std::vector<double>;
  struct Row;  // one row of the network
  struct Window {
    Array centre, scale;  // [W]
  };

  Window LearnWindow(const ForecastBatch& batch, const Row& row, int64_t history) const;
  Array Values(const ForecastBatch& batch, const Row& row, const Window& window, int64_t t) const;
  Array Known(const ForecastBatch& batch, const Row& row, int64_t t) const;
  Array Constant(const ForecastBatch& batch, const Row& row, bool channel) const;
  Array Affine(const std::string& name, const Array& x) const;
  void DropoutOn(Array& x, const DropoutSite* site, int layer, int64_t time_step,
                 int64_t row) const;
  Array StackStep(const Array& x, Row& row, const DropoutSite* site, int64_t time_step,
                  int first_mask, bool last_mask) const;
  // Raw outputs [steps, P, W] in the order of the network's own readout, [P, steps, W].
  double LossOf(const ForecastBatch& batch, const Row& row, const Window& window, const Array& raw,
                int64_t first, int64_t steps) const;
  void AddCovariates(const ForecastBatch& batch, const Row& row, int64_t first, int64_t steps,
                     Array& raw) const;
  double DirectLoss(const ForecastBatch& batch, Row& row, const DropoutSite* site) const;
  double SegmentLoss(const ForecastBatch& batch, Row& row, const DropoutSite* site) const;
  double StepLoss(const ForecastBatch& batch, Row& row, const DropoutSite* site) const;

  const ForecasterOptions options_;
  const int64_t width_;
  ReferenceValues values_;
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_TESTS_WORKER_REFERENCE_FORECASTER_H_
