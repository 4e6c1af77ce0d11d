#include "worker/layers/recurrent_layer.h"

#include <algorithm>
#include <cmath>

#include "worker/products/column_sum.h"

namespace lockstep::worker {

namespace {

// Rows that lie a multiple of 1 kB apart fall into few sets of the first cache level, and products
// that read such columns run at half their rate (weight gradient of 1024 x 256 over 2048 rows,
// AVX2, 1 thread: 30 against 58 GFLOP/s).
int64_t StrideWithoutConflicts(int64_t width) { return width % 256 == 0 ? width + 16 : width; }

}  // namespace

RecurrentLayer::RecurrentLayer(Cell cell, int64_t input_size, int64_t hidden_size,
                               Parameters& parameters, Direction direction)
    : cell_(cell),
      facts_(FactsOf(cell)),
      input_size_(input_size),
      units_(hidden_size),
      gate_stride_(StrideWithoutConflicts(facts_.gates * hidden_size)),
      reverse_(direction == Direction::kReverse),
      parameters_(parameters) {}

RecurrentLayer::RecurrentLayer(Cell cell, int64_t input_size, int64_t hidden_size, int layer,
                               const std::string& prefix, Parameters& parameters,
                               Direction direction)
    : RecurrentLayer(cell, input_size, hidden_size, parameters, direction) {
  const std::string suffix = "_l" + std::to_string(layer) + (reverse_ ? "_reverse" : "");
  const Draw draw = UniformDraw(1.0 / std::sqrt(static_cast<double>(hidden_size)));
  Draw input_bias = draw;
  if (facts_.forget_gate) {
    input_bias.forget_begin = *facts_.forget_gate * units_;
    input_bias.forget_end = input_bias.forget_begin + units_;
  }
  weight_ih_ = parameters.Add(prefix + "weight_ih" + suffix, {width(), input_size}, draw);
  weight_hh_ = parameters.Add(prefix + "weight_hh" + suffix, {width(), hidden_size}, draw);
  bias_ih_ = parameters.Add(prefix + "bias_ih" + suffix, {width()}, input_bias);
  bias_hh_ = parameters.Add(prefix + "bias_hh" + suffix, {width()}, draw);
}

RecurrentLayer RecurrentLayer::Sharing(const RecurrentLayer& other) {
  RecurrentLayer layer(other.cell_, other.input_size_, other.units_, other.parameters_,
                       other.reverse_ ? Direction::kReverse : Direction::kForward);
  layer.weight_ih_ = other.weight_ih_;
  layer.weight_hh_ = other.weight_hh_;
  layer.bias_ih_ = other.bias_ih_;
  layer.bias_hh_ = other.bias_hh_;
  return layer;
}

void RecurrentLayer::Prepare(int64_t time_steps, int64_t lanes) {
  time_steps_ = time_steps;
  lanes_ = lanes;
  const int64_t state = state_size();
  pre_.Require(time_steps * lanes * gate_stride_);
  h_.Require((time_steps + 1) * state);
  product_.Require(state * facts_.gates);
  d_h_.Require(state);
  if (facts_.has_c) {
    c_.Require((time_steps + 1) * state);
    d_c_.Require(state);
  }
  if (facts_.keeps_candidate) candidate_.Require(time_steps * state);
}

float* RecurrentLayer::CombinedBias() {
  float* bias = bias_.Require(width());
  const float* ih = parameters_.value(bias_ih_);
  const float* hh = parameters_.value(bias_hh_);
  const int64_t shared = facts_.shared_gates() * units_;
  for (int64_t j = 0; j < width(); ++j) bias[j] = j < shared ? ih[j] + hh[j] : ih[j];
  return bias;
}

const float* RecurrentLayer::Forward(int64_t time_steps, int64_t lanes, const float* x,
                                     LayerState state) {
  Prepare(time_steps, lanes);
  MatMul(time_steps * lanes, width(), input_size_, {x, input_size_},
         {parameters_.value(weight_ih_), input_size_, true}, pre_.data(), gate_stride_, false,
         CombinedBias());
  ForwardSteps(state);
  return h_.data() + Behind(0);
}

const float* RecurrentLayer::ForwardTokens(int64_t time_steps, int64_t lanes, const int32_t* tokens,
                                           const TokenVectors& of, LayerState state) {
  Prepare(time_steps, lanes);
  table_.Forward(time_steps * lanes, tokens, of,
                 {width(), input_size_, parameters_.value(weight_ih_)}, CombinedBias(), pre_.data(),
                 gate_stride_);
  ForwardSteps(state);
  return h_.data() + Behind(0);
}

GateStep RecurrentLayer::StepAt(int64_t t) {
  GateStep step;
  step.lanes = lanes_;
  step.units = units_;
  step.gate_stride = gate_stride_;
  step.product = product_.data();
  step.gates = pre_.data() + t * lanes_ * gate_stride_;
  step.h_previous = h_.data() + Before(t);
  step.h = h_.data() + Behind(t);
  if (facts_.has_c) {
    step.c_previous = c_.data() + Before(t);
    step.c = c_.data() + Behind(t);
  }
  if (facts_.keeps_candidate) {
    step.candidate = candidate_.data() + t * state_size();
    step.candidate_bias = parameters_.value(bias_hh_) + (facts_.gates - 1) * units_;
  }
  step.d_h = d_h_.data();
  step.d_c = d_c_.data();
  return step;
}

void RecurrentLayer::ForwardSteps(LayerState state) {
  const int64_t size = state_size(), H = units_, from_h = facts_.gates_from_h() * H;
  const float* weights = parameters_.value(weight_hh_);
  forward_weights_.Pack(lanes_, from_h, H, H, {weights, H, true});
  if (facts_.reset_before) {
    forward_candidate_.Pack(lanes_, H, H, H, {weights + from_h * H, H, true});
  }
  const int64_t first = Before(TimeOf(0)), last = Behind(TimeOf(time_steps_ - 1));
  std::copy_n(state.h, size, h_.data() + first);
  if (facts_.has_c) std::copy_n(state.c, size, c_.data() + first);
  for (int64_t i = 0; i < time_steps_; ++i) {
    const GateStep step = StepAt(TimeOf(i));
    forward_weights_.Multiply(step.h_previous, product_.data());
    switch (cell_) {
      case Cell::kRnnTanh:
      case Cell::kRnnRelu:
        RnnForward(step, cell_ == Cell::kRnnRelu);
        break;
      case Cell::kLstm:
        LstmForward(step);
        break;
      case Cell::kGru:
        GruForward(step);
        break;
      case Cell::kGruResetBefore:
        GruResetForward(step);
        forward_candidate_.Multiply(step.candidate, product_.data());
        GruOutputForward(step);
        break;
    }
  }
  std::copy_n(h_.data() + last, size, state.h);
  if (facts_.has_c) std::copy_n(c_.data() + last, size, state.c);
}

void RecurrentLayer::BackwardSteps(const float* d_output, const LayerStateGradient& state) {
  const int64_t size = state_size(), H = units_, from_h = facts_.gates_from_h() * H;
  const float* weights = parameters_.value(weight_hh_);
  backward_weights_.Pack(lanes_, H, from_h, gate_stride_, {weights, H});
  if (facts_.reset_before) {
    backward_candidate_.Pack(lanes_, H, H, gate_stride_, {weights + from_h * H, H});
  }
  const auto begin_with = [size](const float* gradient, float* at) {
    gradient ? std::copy_n(gradient, size, at) : std::fill_n(at, size, 0.0f);
  };
  begin_with(state.d_h_final, d_h_.data());
  if (facts_.has_c) begin_with(state.d_c_final, d_c_.data());
  if (!d_output) std::fill_n(no_output_.Require(size), size, 0.0f);
  for (int64_t i = time_steps_ - 1; i >= 0; --i) {
    const int64_t t = TimeOf(i);
    GateStep step = StepAt(t);
    step.d_output = d_output ? d_output + t * size : no_output_.data();
    switch (cell_) {
      case Cell::kRnnTanh:
      case Cell::kRnnRelu:
        RnnBackward(step, cell_ == Cell::kRnnRelu);
        break;
      case Cell::kLstm:
        LstmBackward(step);
        break;
      case Cell::kGru:
        GruBackward(step);
        break;
      case Cell::kGruResetBefore:
        GruOutputBackward(step);
        backward_candidate_.Multiply(step.gates + from_h, product_.data());
        GruResetBackward(step);
        break;
    }
    if (i > 0 || state.d_h_initial) {
      backward_weights_.Multiply(step.gates, d_h_.data(), facts_.direct_path);
    }
  }
  if (state.d_h_initial) std::copy_n(d_h_.data(), size, state.d_h_initial);
  if (facts_.has_c && state.d_c_initial) std::copy_n(d_c_.data(), size, state.d_c_initial);
}

// Sums over time steps and lanes are here and in the products of dWx, nowhere else.
void RecurrentLayer::RecurrentGradients() {
  const int64_t rows = time_steps_ * lanes_, H = units_;
  float* gradient = parameters_.gradient(weight_hh_);
  const float* d_pre = pre_.data();
  const float* h_previous = h_.data() + Before(0);
  const int64_t from_h = facts_.gates_from_h() * H;
  MatMul(from_h, H, rows, {d_pre, gate_stride_, true}, {h_previous, H}, gradient, H, true);
  if (facts_.reset_before) {
    MatMul(H, H, rows, {d_pre + from_h, gate_stride_, true}, {candidate_.data(), H},
           gradient + from_h * H, H, true);
  }
  float* d_bias_ih = parameters_.gradient(bias_ih_);
  float* d_bias_hh = parameters_.gradient(bias_hh_);
  const int64_t shared = facts_.shared_gates() * H;
  float* sums = bias_.Require(width());
  std::fill_n(sums, width(), 0.0f);
  AddColumnSums(rows, width(), d_pre, gate_stride_, sums);
  for (int64_t j = 0; j < width(); ++j) d_bias_hh[j] += sums[j];
  for (int64_t j = 0; j < shared; ++j) d_bias_ih[j] += sums[j];
  if (facts_.candidate_bias_apart) {
    AddColumnSums(rows, H, candidate_.data(), H, d_bias_ih + shared);
  }
}

void RecurrentLayer::Backward(const float* x, const float* d_output, float* d_x,
                              const LayerStateGradient& state) {
  BackwardSteps(d_output, state);
  RecurrentGradients();
  const int64_t rows = time_steps_ * lanes_, I = input_size_, H = units_;
  const float* weights = parameters_.value(weight_ih_);
  float* gradient = parameters_.gradient(weight_ih_);
  const int64_t shared = facts_.shared_gates() * H;
  MatMul(shared, I, rows, {pre_.data(), gate_stride_, true}, {x, I}, gradient, I, true);
  if (d_x) MatMul(rows, I, shared, {pre_.data(), gate_stride_}, {weights, I}, d_x, I);
  if (facts_.candidate_bias_apart) {  // the input side of n has a gradient of its own
    MatMul(H, I, rows, {candidate_.data(), H, true}, {x, I}, gradient + shared * I, I, true);
    if (d_x) MatMul(rows, I, H, {candidate_.data(), H}, {weights + shared * I, I}, d_x, I, true);
  }
}

void RecurrentLayer::BackwardTokens(const int32_t* tokens, const TokenVectors& of,
                                    const float* d_output, const LayerStateGradient& state) {
  BackwardSteps(d_output, state);
  RecurrentGradients();
  table_.Backward(time_steps_ * lanes_, tokens, of,
                  {width(), input_size_, parameters_.value(weight_ih_)},
                  {pre_.data(), gate_stride_, facts_.shared_gates() * units_, candidate_.data()},
                  parameters_.gradient(weight_ih_));
}

}  // namespace lockstep::worker
