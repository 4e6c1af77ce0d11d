#ifndef LOCKSTEP_WORKER_MODELS_FORECASTER_H_
#define LOCKSTEP_WORKER_MODELS_FORECASTER_H_

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "worker/layers/cell.h"
#include "worker/layers/dropout.h"
#include "worker/layers/recurrent_state.h"
#include "worker/losses/forecast_loss.h"
#include "worker/models/model.h"

namespace lockstep::worker {

/// How a forecaster comes from the past to the future.
enum class Decoding {
  kDirect,          ///< the last state gives all steps of the horizon: many to one
  kAutoregressive,  ///< one step at a time from the value before it, teacher forcing in training,
                    ///< sampled paths in prediction: DeepAR, Salinas et al. 2017
  kSegments,  ///< segments of values are time steps; the segments of the horizon are decoded in
              ///< parallel, one cell step each: SegRNN, Lin et al. 2023, arXiv 2308.11200
  kStream,    ///< one step ahead on lanes with carried state, truncated BPTT
};

/// What is taken off the values of each window and channel before the network sees them, and put
/// back on its outputs. Learnt from the observed values of the history; where there are none,
/// nothing is done. With kNegativeBinomial, counts are scaled and never shifted: kMean divides by 1
/// + mean (Salinas et al. 2017, section 3.3), kLast and kMeanAndDeviation are not possible.
enum class Normalization {
  kNone,
  kLast,              ///< the last observed value is subtracted
  kMean,              ///< the mean is subtracted
  kMeanAndDeviation,  ///< and divided by sqrt(variance + 1e-5): RevIN without its affine part (Kim
                      ///< et al. 2022)
};

/// Dimension letters beside T time steps and B items (or lanes): T_h history, T_f horizon, C
/// channels, K known numeric covariates, Q quantiles.
struct ForecasterOptions {
  Decoding decoding = Decoding::kDirect;
  Cell cell = Cell::kGru;
  int layers = 1;
  int64_t hidden_size = 128;
  double dropout = 0.0;          ///< between layers and on what the projection reads
  int64_t history = 96;          ///< T_h; kStream: not used
  int64_t horizon = 96;          ///< T_f; kStream: how far Forecast goes
  int64_t segment_length = 0;    ///< kSegments: a divisor of history and of horizon
  bool loss_on_history = false;  ///< kAutoregressive: the steps of the history count, too

  int64_t channels = 1;            ///< C
  bool channels_together = false;  ///< one row of C values; else each channel is a row of its own,
                                   ///< with shared weights
  /// Floats of a learnt vector for each channel, where channels are rows of their own; 0: none.
  /// With kSegments it takes its part of the decoder's hidden_size inputs, the position the rest
  /// (SegRNN: half each); otherwise it is an input of every step.
  int64_t channel_embedding = 0;

  int64_t known_numeric = 0;               ///< K, calendar features among them
  std::vector<int64_t> known_categories;   ///< the number of values of each known categorical
  int64_t static_numeric = 0;              ///< S
  std::vector<int64_t> static_categories;  ///< likewise, of an item
  int64_t category_embedding = 8;          ///< floats of a learnt vector for each category
  bool mask_inputs = false;                ///< each value comes with 1 where it is missing, else 0

  Normalization normalization = Normalization::kNone;
  ForecastLoss loss;

  bool is_stream() const { return decoding == Decoding::kStream; }
  /// Whether forecasts are drawn step by step, from the values before: then they cost far more than
  /// the loss.
  bool draws_paths() const { return is_stream() || decoding == Decoding::kAutoregressive; }
};

/// Empty, or why a forecaster cannot be made so, in a sentence with the options' names and values.
std::string WhyImpossible(const ForecasterOptions& options);

/// One batch of windows (or of T time steps of lanes), borrowed; all row-major. Of windows: T_h =
/// history, T = T_h + T_f, and `known` covers both. Of kStream: T_h = time_steps, and targets and
/// known are those of one step later: targets[t] is the value behind history[t].
struct ForecastBatch {
  int64_t items = 0;               ///< B; of kStream lanes
  int64_t time_steps = 0;          ///< kStream only
  const float* history = nullptr;  ///< [T_h, B, C]; NaN: missing, enters as 0 after normalisation
  const float* targets = nullptr;  ///< [T_f, B, C] (kStream [T, B, C]); NaN: none, no loss. May be
                                   ///< nullptr for Forecast
  const float* known = nullptr;    ///< [T, B, K], finite
  const int32_t* known_categories = nullptr;   ///< [T, B, number]; negative: not known, zeros
  const float* statics = nullptr;              ///< [B, S], finite
  const int32_t* static_categories = nullptr;  ///< [B, number]; negative: not known, zeros
};

struct ForecastRequest {
  std::vector<double> levels;  ///< of the quantiles wanted, in (0, 1); models of points give none
  /// kAutoregressive and kStream: paths drawn for each row. A path is a pure function of seed,
  /// item, channel, path and step. Models of points have one path, of their outputs.
  int64_t paths = 100;
  uint64_t seed = 1;
  const int64_t* item_numbers = nullptr;  ///< [B], of the whole data; nullptr: 0, 1, ...
  bool keep_paths = false;
};

/// In the units fed. What is not asked for is empty.
struct ForecastOutput {
  std::vector<float> mean;       ///< [T_f, B, C]; kQuantiles: the median; of paths their mean
  std::vector<float> quantiles;  ///< [Q, T_f, B, C], not decreasing along Q
  std::vector<float> paths;      ///< [paths, T_f, B, C]
};

/// A recurrent forecaster: values and covariates -> stack -> readout of the decoding -> loss. Rows
/// of the network are items, or items * C + channel where channels are apart. Masks of dropout and
/// drawn paths depend on the number of an item, not on what else is in the batch.
class Forecaster final : public Model {
 public:
  /// Throws std::invalid_argument with WhyImpossible's sentence.
  explicit Forecaster(const ForecasterOptions& options, Pass pass = Pass::kForwardAndBackward);
  ~Forecaster() override;

  const ForecasterOptions& options() const { return options_; }

  /// kStream: of `lanes` lanes; units are those of all channels of a lane. Others carry no state
  /// and have one without parts.
  RecurrentState ZeroState(int64_t lanes) const override;

  /// The training pass; returns the sum of the losses of all targets that are there, and their
  /// number, and keeps what Backward needs. Units: see ForecastLoss; squared and absolute errors
  /// and likelihoods are of the values as fed, the window's normalisation undone. kStream reads
  /// `state` and moves it on, others ignore it (nullptr). site.first_lane is the place of the first
  /// item in the global batch; its layer is filled in here.
  ForecastSum Forward(const ForecastBatch& batch, RecurrentState* state, const DropoutSite& site);

  void Backward(const GradientReady& ready = {}) override;

  /// kStream: over time_steps; others: windows of their own length, `lanes` of them. Forecast may
  /// take more where it draws paths: up to 8192 rows of one step at a time.
  int64_t WorkingBytes(int64_t time_steps, int64_t lanes) const override;

  /// The evaluation pass: no dropout, no gradient; kAutoregressive with teacher forcing.
  ForecastSum Evaluate(const ForecastBatch& batch, RecurrentState* state);

  /// Predicts the horizon behind the history; targets are not read. kStream: the history goes on
  /// from `state` (which is not moved), T_h = time_steps, and `known` is [T_h + T_f, B, K] as of
  /// windows: row t belongs to the value at t, row 0 is not read.
  void Forecast(const ForecastBatch& batch, const RecurrentState* state,
                const ForecastRequest& request, ForecastOutput& output);

 private:
  struct Parts;

  /// The losses of a batch; with `gradient`, what Backward needs.
  ForecastSum Run(const ForecastBatch& batch, RecurrentState* state, const DropoutSite* site,
                  bool gradient);

  const ForecasterOptions options_;
  std::unique_ptr<Parts> parts_;
  ForecastBatch batch_;  // of the last Forward
};

}  // namespace lockstep::worker

#endif  // LOCKSTEP_WORKER_MODELS_FORECASTER_H_
