#include <algorithm>

#include "worker/layers/stack.h"
#include "worker/models/forecast_network.h"

namespace lockstep::worker {
namespace {

// A stack over single steps, each of which gives the raw outputs of one value: that behind its own.
// With windows (kAutoregressive) steps of the history alone give none, unless they count, too.
class StepNetwork final : public ForecastNetwork {
 public:
  StepNetwork(const ForecasterOptions& options, Parameters& parameters)
      : options_(options),
        features_(options, options.channel_embedding > 0, parameters),
        inputs_(options, 1, features_),
        stack_({.cell = options.cell,
                .input_size = inputs_.size(),
                .hidden_size = options.hidden_size,
                .layers = options.layers,
                .dropout = options.dropout},
               "rnn.", parameters),
        projection_(options.hidden_size, options.loss.outputs() * WidthOf(options), "projection",
                    parameters) {}

  RawLayout Layout(int64_t rows, int64_t time_steps) const override {
    return {time_steps - Silent(time_steps), rows, 1, WidthOf(options_)};
  }

  RecurrentState ZeroState(int64_t rows) const override { return stack_.ZeroState(rows); }

  float* Forward(const NetworkInput& input, RecurrentState* state,
                 const DropoutSite* site) override;
  void Backward(const GradientReady& ready) override;
  int64_t WorkingFloats(int64_t rows, int64_t time_steps) const override;

 private:
  // Steps at the beginning that give no outputs. Shorter passes than a whole window are predictions
  // that go on, of which the last step is wanted.
  int64_t Silent(int64_t time_steps) const {
    if (options_.is_stream() || options_.loss_on_history) return 0;
    return std::min(time_steps, options_.history) - 1;
  }

  const ForecasterOptions options_;
  ForecastFeatures features_;
  NetworkInputs inputs_;
  RecurrentStack stack_;
  Linear projection_;

  // Of the last Forward.
  int64_t rows_ = 0, time_steps_ = 0;
  RecurrentState own_state_;
  const float* outputs_ = nullptr;  // [T, R, H]
  Buffer raw_;                      // [G R, P W]
};

float* StepNetwork::Forward(const NetworkInput& input, RecurrentState* state,
                            const DropoutSite* site) {
  rows_ = input.rows;
  time_steps_ = input.time_steps;
  if (!state) {
    own_state_ = ZeroState(rows_);
    state = &own_state_;
  }
  outputs_ = stack_.Forward(PackedSteps::Uniform(time_steps_, rows_), {.x = inputs_.Forward(input)},
                            *state, site);
  const int64_t silent = Silent(time_steps_) * rows_, rows = time_steps_ * rows_ - silent;
  float* raw = raw_.Require(rows * projection_.output_size());
  projection_.Forward(rows, outputs_ + silent * options_.hidden_size, raw);
  return raw;
}

void StepNetwork::Backward(const GradientReady& ready) {
  const int64_t silent = Silent(time_steps_) * rows_, H = options_.hidden_size;
  float* d_outputs = stack_.d_output();
  std::fill_n(d_outputs, silent * H, 0.0f);
  projection_.Backward(time_steps_ * rows_ - silent, outputs_ + silent * H, raw_.data(),
                       d_outputs + silent * H);
  const float* d_x = stack_.Backward({}, inputs_.wants_gradient(), ready);
  if (d_x) inputs_.Backward(d_x);
}

int64_t StepNetwork::WorkingFloats(int64_t rows, int64_t time_steps) const {
  return rows * time_steps * (inputs_.size() + stack_.FloatsOfRow() + projection_.output_size()) +
         stack_.FloatsOfWeights();
}

}  // namespace

std::unique_ptr<ForecastNetwork> MakeStepNetwork(const ForecasterOptions& options,
                                                 Parameters& parameters) {
  return std::make_unique<StepNetwork>(options, parameters);
}

}  // namespace lockstep::worker
