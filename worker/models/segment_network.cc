#include <algorithm>
#include <numeric>
#include <optional>
#include <vector>

#include "worker/layers/stack.h"
#include "worker/models/forecast_network.h"

namespace lockstep::worker {
namespace {

// SegRNN (Lin et al. 2023): S values -> linear and ReLU -> cell over N segments of the history;
// then M segments of the horizon, each one step of the same cell from the last state, whose input
// is [position, channel] -> dropout -> linear to S values.
class SegmentNetwork final : public ForecastNetwork {
 public:
  SegmentNetwork(const ForecasterOptions& options, Parameters& parameters)
      : options_(options),
        parameters_(parameters),
        steps_(options.segment_length),
        segments_(options.horizon / steps_),
        channel_size_(options.channel_embedding),
        features_(options, false, parameters),
        inputs_(options, steps_, features_),
        embedding_(inputs_.size(), options.hidden_size, "input", parameters),
        encoder_({.cell = options.cell,
                  .input_size = options.hidden_size,
                  .hidden_size = options.hidden_size,
                  .layers = options.layers,
                  .dropout = options.dropout},
                 "rnn.", parameters),
        decoder_(RecurrentStack::Sharing(encoder_)),
        position_(parameters.Add("position.weight",
                                 {segments_, options.hidden_size - channel_size_}, NormalDraw())),
        channel_(channel_size_ > 0 ? parameters.Add("channel.weight",
                                                    {options.channels, channel_size_}, NormalDraw())
                                   : -1),
        projection_(options.hidden_size, options.loss.outputs() * steps_ * WidthOf(options),
                    "projection", parameters) {
    if (features_.known_size() > 0) covariates_.emplace(options, features_, parameters);
  }

  RawLayout Layout(int64_t rows, int64_t time_steps) const override {
    return {segments_, rows, steps_, WidthOf(options_)};
  }

  float* Forward(const NetworkInput& input, RecurrentState* state,
                 const DropoutSite* site) override;
  void Backward(const GradientReady& ready) override;
  int64_t WorkingFloats(int64_t rows, int64_t time_steps) const override;

 private:
  // What the decoder reads: row m C + c of [M C, H] is [position m, channel c].
  StackInput DecoderInput(int64_t rows);
  void DecoderInputGradient();
  int64_t channels() const { return channel_ >= 0 ? options_.channels : 1; }

  const ForecasterOptions options_;
  Parameters& parameters_;
  const int64_t steps_, segments_, channel_size_;  // S, M, floats of the channel's vector
  ForecastFeatures features_;
  NetworkInputs inputs_;
  Linear embedding_;
  RecurrentStack encoder_, decoder_;
  const int position_, channel_;  // -1: none
  Linear projection_;
  std::optional<FutureCovariates> covariates_;

  // Of the last Forward.
  int64_t rows_ = 0, history_segments_ = 0;  // R, N
  const float* x_ = nullptr;                 // [N, R, S W and more]
  const float* decoded_ = nullptr;           // [M R, H]
  Buffer embedded_;                          // [N, R, H]
  Buffer vectors_, d_vectors_;               // [M C, H]
  std::vector<int32_t> tokens_;              // [M, R]
  Buffer raw_;                               // [M R, P S W]
  Buffer d_x_;                               // as x_, where there are vectors to learn in it
  RecurrentState state_, repeated_;          // [L, R, H], [L, M R, H], and later their gradients
};

StackInput SegmentNetwork::DecoderInput(int64_t rows) {
  const int64_t H = options_.hidden_size, C = channels(), position_size = H - channel_size_;
  float* vectors = vectors_.Require(segments_ * C * H);
  for (int64_t i = 0; i < segments_ * C; ++i) {
    std::copy_n(parameters_.value(position_) + i / C * position_size, position_size,
                vectors + i * H);
    if (channel_ < 0) continue;
    std::copy_n(parameters_.value(channel_) + i % C * channel_size_, channel_size_,
                vectors + i * H + position_size);
  }
  tokens_.resize(segments_ * rows);
  for (int64_t i = 0; i < segments_ * rows; ++i) {
    tokens_[i] = static_cast<int32_t>(i / rows * C + i % rows % C);
  }
  StackInput input;
  input.tokens = tokens_.data();
  input.vectors = {segments_ * C, vectors, d_vectors_.Require(segments_ * C * H)};
  return input;
}

void SegmentNetwork::DecoderInputGradient() {
  const int64_t H = options_.hidden_size, C = channels(), position_size = H - channel_size_;
  for (int64_t i = 0; i < segments_ * C; ++i) {
    const float* d = d_vectors_.data() + i * H;
    float* d_position = parameters_.gradient(position_) + i / C * position_size;
    for (int64_t j = 0; j < position_size; ++j) d_position[j] += d[j];
    if (channel_ < 0) continue;
    float* d_channel = parameters_.gradient(channel_) + i % C * channel_size_;
    for (int64_t j = 0; j < channel_size_; ++j) d_channel[j] += d[position_size + j];
  }
}

// to [L, M, R H] = from [L, R H], M times.
void Repeat(int64_t layers, int64_t times, const std::vector<float>& from, std::vector<float>& to) {
  const int64_t size = std::ssize(from) / layers;
  to.resize(from.size() * times);
#pragma omp parallel for collapse(2) schedule(static)
  for (int64_t layer = 0; layer < layers; ++layer) {
    for (int64_t m = 0; m < times; ++m) {
      std::copy_n(from.data() + layer * size, size, to.data() + (layer * times + m) * size);
    }
  }
}

// The gradient of Repeat: to [L, R H] = sums over M.
void SumRepeated(int64_t layers, int64_t times, const std::vector<float>& from,
                 std::vector<float>& to) {
  const int64_t size = std::ssize(to) / layers;
  for (int64_t layer = 0; layer < layers; ++layer) {
    float* sums = to.data() + layer * size;
    const float* parts = from.data() + layer * times * size;
#pragma omp parallel for simd schedule(static)
    for (int64_t i = 0; i < size; ++i) {
      float sum = 0.0f;
      for (int64_t m = 0; m < times; ++m) sum += parts[m * size + i];
      sums[i] = sum;
    }
  }
}

float* SegmentNetwork::Forward(const NetworkInput& input, RecurrentState* state,
                               const DropoutSite* site) {
  rows_ = input.rows;
  history_segments_ = input.time_steps / steps_;
  const int64_t R = rows_, H = options_.hidden_size, rows = history_segments_ * R;
  x_ = inputs_.Forward(input);
  embedding_.Forward(rows, x_, embedded_.Require(rows * H));
  Relu(rows * H, embedded_.data());
  state_ = encoder_.ZeroState(R);
  encoder_.Forward(PackedSteps::Uniform(history_segments_, R), {.x = embedded_.data()}, state_,
                   site, RecurrentStack::Read::kStateOnly);
  Repeat(options_.layers, segments_, state_.h, repeated_.h);
  Repeat(options_.layers, segments_, state_.c, repeated_.c);
  DropoutSite decoder_site = site ? *site : DropoutSite{};
  decoder_site.layer += static_cast<uint32_t>(options_.layers);
  decoded_ = decoder_.Forward(PackedSteps::Uniform(1, segments_ * R), DecoderInput(R), repeated_,
                              site ? &decoder_site : nullptr, RecurrentStack::Read::kOutputs, R);
  float* raw = raw_.Require(segments_ * R * projection_.output_size());
  projection_.Forward(segments_ * R, decoded_, raw);
  if (covariates_) {
    covariates_->Forward(input, input.known_time + input.time_steps, Layout(R, 0), raw);
  }
  return raw;
}

void SegmentNetwork::Backward(const GradientReady& ready) {
  const int64_t R = rows_, H = options_.hidden_size;
  if (covariates_) covariates_->Backward(raw_.data());
  projection_.Backward(segments_ * R, decoded_, raw_.data(), decoder_.d_output());
  std::fill_n(d_vectors_.data(), segments_ * channels() * H, 0.0f);
  decoder_.Backward({.initial_state = &repeated_});
  DecoderInputGradient();
  SumRepeated(options_.layers, segments_, repeated_.h, state_.h);
  SumRepeated(options_.layers, segments_, repeated_.c, state_.c);
  float* d_embedded = encoder_.Backward({.final_state = &state_}, true, ready);
  const int64_t rows = history_segments_ * R;
  ReluBackward(rows * H, embedded_.data(), d_embedded);
  float* d_x = inputs_.wants_gradient() ? d_x_.Require(rows * inputs_.size()) : nullptr;
  embedding_.Backward(rows, x_, d_embedded, d_x);
  if (d_x) inputs_.Backward(d_x);
}

int64_t SegmentNetwork::WorkingFloats(int64_t rows, int64_t time_steps) const {
  const int64_t N = options_.history / steps_, H = options_.hidden_size;
  const int gradients = options_.layers > 1 ? 2 : 1;
  // Of every row and layer: h and c; besides, of a pass, product, dL/dh and the state before it.
  const CellFacts& facts = FactsOf(options_.cell);
  const int64_t states = options_.layers * H * ((facts.has_c ? 2 : 1) + facts.gates + 2);
  return rows *
             (N * (inputs_.size() + H + encoder_.FloatsOfRow(gradients)) + states +
              segments_ * (decoder_.FloatsOfRow(gradients) + projection_.output_size() + states) +
              (covariates_ ? options_.horizon * covariates_->FloatsOfRow() : 0)) +
         2 * encoder_.FloatsOfWeights() + segments_ * channels() * (2 * H + H * 4);
}

}  // namespace

std::unique_ptr<ForecastNetwork> MakeSegmentNetwork(const ForecasterOptions& options,
                                                    Parameters& parameters) {
  return std::make_unique<SegmentNetwork>(options, parameters);
}

}  // namespace lockstep::worker
