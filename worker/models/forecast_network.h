#ifndef LOCKSTEP_WORKER_MODELS_FORECAST_NETWORK_H_
#define LOCKSTEP_WORKER_MODELS_FORECAST_NETWORK_H_

#include <cstdint>
#include <memory>

#include "worker/buffer.h"
#include "worker/layers/dropout.h"
#include "worker/layers/linear.h"
#include "worker/layers/recurrent_state.h"
#include "worker/losses/forecast_loss.h"
#include "worker/models/forecast_features.h"
#include "worker/models/forecaster.h"

namespace lockstep::worker {

/// What a network reads. R rows of W values; row r is that of batch row r % batch_rows, since
/// sampled paths repeat the rows of a batch.
struct NetworkInput {
  const ForecastBatch* batch = nullptr;
  int64_t batch_rows = 0;
  int64_t rows = 0;                ///< R
  int64_t time_steps = 0;          ///< T
  int64_t known_time = 0;          ///< the row of batch.known that belongs to the first time step
  const float* values = nullptr;   ///< [T, R, W], normalised
  const float* missing = nullptr;  ///< [T, R, W], with options.mask_inputs
};

/// The way from values to raw outputs, of one decoding. Rows are independent of each other.
class ForecastNetwork {
 public:
  virtual ~ForecastNetwork() = default;

  /// Of R rows and T time steps.
  virtual RawLayout Layout(int64_t rows, int64_t time_steps) const = 0;

  /// The state of R rows that a pass begins with, where one may go on from another's; else without
  /// parts.
  virtual RecurrentState ZeroState(int64_t rows) const { return {}; }

  /// Returns the raw outputs [G R, P, J, W] (Layout), which live until the next call and may be
  /// replaced by their gradient. Begins with `state`, which it moves on, or with zeros (nullptr).
  /// Without a site there is no dropout; site->first_lane counts rows.
  virtual float* Forward(const NetworkInput& input, RecurrentState* state,
                         const DropoutSite* site) = 0;

  /// Adds to the gradients, from the gradient that was left in the place of the raw outputs.
  virtual void Backward(const GradientReady& ready) = 0;

  /// Floats that a training pass over T steps of R rows keeps.
  virtual int64_t WorkingFloats(int64_t rows, int64_t time_steps) const = 0;
};

/// kDirect; kSegments; kAutoregressive and kStream. `parameters` must outlive the network.
std::unique_ptr<ForecastNetwork> MakeDirectNetwork(const ForecasterOptions& options,
                                                   Parameters& parameters);
std::unique_ptr<ForecastNetwork> MakeSegmentNetwork(const ForecasterOptions& options,
                                                    Parameters& parameters);
std::unique_ptr<ForecastNetwork> MakeStepNetwork(const ForecasterOptions& options,
                                                 Parameters& parameters);

/// Values of a row: W.
inline int64_t WidthOf(const ForecasterOptions& options) {
  return options.channels_together ? options.channels : 1;
}
/// Rows of a batch of so many items.
inline int64_t RowsOf(const ForecasterOptions& options, int64_t items) {
  return options.channels_together ? items : items * options.channels;
}

/// The vectors that go into the network: of S time steps of a row [S values of W, S missing of W,
/// S known, constant]. S = 1 but for kSegments.
class NetworkInputs {
 public:
  /// `features` must outlive this.
  NetworkInputs(const ForecasterOptions& options, int64_t steps, ForecastFeatures& features);

  int64_t size() const { return size_; }

  /// Returns [T / S, R, size()], which lives until the next call; the input's own values where they
  /// are all there is.
  const float* Forward(const NetworkInput& input);

  /// Whether there is something to learn in them.
  bool wants_gradient() const {
    return features_.has_known_vectors() || features_.has_constant_vectors();
  }
  /// Takes dL/d(what Forward returned) into the gradients of the features.
  void Backward(const float* d_x);

 private:
  void FillRow(int64_t group, int64_t row, float* x) const;

  const int64_t steps_, width_, channels_of_item_, masks_;
  ForecastFeatures& features_;
  const int64_t size_;
  NetworkInput input_;  // of the last Forward
  Buffer x_;
};

/// What known covariates of the future add to the raw outputs of their own step: V relu(A f + a)
/// for the features f of row and step (known and constant ones), with weights that all steps share.
/// Parameters "covariates.hidden.weight" [H, F], ".bias" [H], "covariates.projection.weight" [P W,
/// H].
class FutureCovariates {
 public:
  FutureCovariates(const ForecasterOptions& options, ForecastFeatures& features,
                   Parameters& parameters);

  /// raw += of the layout's steps, the first of which is batch.known[first_time].
  void Forward(const NetworkInput& input, int64_t first_time, const RawLayout& layout, float* raw);
  void Backward(const float* d_raw);

  int64_t FloatsOfRow() const;

 private:
  template <class Visit>
  void ForEachPlace(const Visit& visit) const;

  const int64_t outputs_, width_, channels_of_item_;
  ForecastFeatures& features_;
  Linear hidden_, projection_;
  NetworkInput input_;  // of the last Forward
  RawLayout layout_;
  int64_t first_time_ = 0;
  Buffer f_, u_, out_, d_u_, d_f_;
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_MODELS_FORECAST_NETWORK_H_
