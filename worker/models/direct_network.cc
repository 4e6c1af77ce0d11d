#include <algorithm>
#include <optional>

#include "worker/layers/stack.h"
#include "worker/models/forecast_network.h"

namespace lockstep::worker {
namespace {

// A stack over the steps of the history; its last layer's last h -> dropout -> linear to all values
// of the horizon.
class DirectNetwork final : public ForecastNetwork {
 public:
  DirectNetwork(const ForecasterOptions& options, Parameters& parameters)
      : options_(options),
        features_(options, options.channel_embedding > 0, parameters),
        inputs_(options, 1, features_),
        stack_({.cell = options.cell,
                .input_size = inputs_.size(),
                .hidden_size = options.hidden_size,
                .layers = options.layers,
                .dropout = options.dropout},
               "rnn.", parameters),
        projection_(options.hidden_size,
                    options.loss.outputs() * options.horizon * WidthOf(options), "projection",
                    parameters) {
    if (features_.known_size() > 0) covariates_.emplace(options, features_, parameters);
  }

  RawLayout Layout(int64_t rows, int64_t time_steps) const override {
    return {1, rows, options_.horizon, WidthOf(options_)};
  }

  float* Forward(const NetworkInput& input, RecurrentState* state,
                 const DropoutSite* site) override;
  void Backward(const GradientReady& ready) override;
  int64_t WorkingFloats(int64_t rows, int64_t time_steps) const override;

 private:
  // Of the last layer's h, as after any layer of a stack.
  void ApplyDropout(const float* x, float* out) const {
    Dropout(site_, options_.dropout, 1, rows_, options_.hidden_size, x, out);
  }
  int64_t last() const { return (options_.layers - 1) * rows_ * options_.hidden_size; }

  const ForecasterOptions options_;
  ForecastFeatures features_;
  NetworkInputs inputs_;
  RecurrentStack stack_;
  Linear projection_;
  std::optional<FutureCovariates> covariates_;

  // Of the last Forward.
  int64_t rows_ = 0;      // R
  DropoutSite site_;      // of the last h
  RecurrentState state_;  // [L, R, H], later its gradient
  Buffer last_;           // [R, H] after dropout, later its gradient
  Buffer raw_;            // [R, P T_f W]
};

float* DirectNetwork::Forward(const NetworkInput& input, RecurrentState* state,
                              const DropoutSite* site) {
  rows_ = input.rows;
  const int64_t size = rows_ * options_.hidden_size;
  state_ = stack_.ZeroState(rows_);
  stack_.Forward(PackedSteps::Uniform(input.time_steps, rows_), {.x = inputs_.Forward(input)},
                 state_, site, RecurrentStack::Read::kStateOnly);
  float* h = last_.Require(size);
  if (site) {
    site_ = *site;
    site_.layer += static_cast<uint32_t>(options_.layers - 1);
  }
  if (site && options_.dropout > 0.0) {
    ApplyDropout(state_.h.data() + last(), h);
  } else {
    std::copy_n(state_.h.data() + last(), size, h);
  }
  float* raw = raw_.Require(rows_ * projection_.output_size());
  projection_.Forward(rows_, h, raw);
  if (covariates_) {
    covariates_->Forward(input, input.known_time + input.time_steps, Layout(rows_, 0), raw);
  }
  return raw;
}

void DirectNetwork::Backward(const GradientReady& ready) {
  if (covariates_) covariates_->Backward(raw_.data());
  std::ranges::fill(state_.h, 0.0f);
  std::ranges::fill(state_.c, 0.0f);
  float* d_h = state_.h.data() + last();
  projection_.Backward(rows_, last_.data(), raw_.data(), d_h);
  if (options_.dropout > 0.0) ApplyDropout(d_h, d_h);
  const float* d_x = stack_.Backward({.final_state = &state_}, inputs_.wants_gradient(), ready);
  if (d_x) inputs_.Backward(d_x);
}

int64_t DirectNetwork::WorkingFloats(int64_t rows, int64_t time_steps) const {
  const int64_t H = options_.hidden_size;
  const int gradients = options_.layers > 1 ? 2 : inputs_.wants_gradient() ? 1 : 0;
  return rows * (options_.history * (inputs_.size() + stack_.FloatsOfRow(gradients)) + 3 * H +
                 projection_.output_size() +
                 (covariates_ ? options_.horizon * covariates_->FloatsOfRow() : 0)) +
         stack_.FloatsOfWeights();
}

}  // namespace

std::unique_ptr<ForecastNetwork> MakeDirectNetwork(const ForecasterOptions& options,
                                                   Parameters& parameters) {
  return std::make_unique<DirectNetwork>(options, parameters);
}

}  // namespace lockstep::worker
