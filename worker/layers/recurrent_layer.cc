#include "worker/layers/recurrent_layer.h"

#include <algorithm>
#include <cmath>

#include "worker/parallel_for.h"
#include "worker/products/column_sum.h"

namespace lockstep::worker {

namespace {

// Rows that lie a multiple of 1 kB apart fall into few sets of the first cache level, and products
// that read such columns run at half their rate (weight gradient of 1024 x 256 over 2048 rows,
// AVX2, 1 thread: 30 against 58 GFLOP/s).
int64_t StrideWithoutConflicts(int64_t width) { return width % 256 == 0 ? width + 16 : width; }

constexpr int64_t kPeepholeUnits = 64;

// A weight gradient is made in blocks of about so many floats, so that ranks can send one while the
// next is computed; always, so that its bits do not depend on where the ranks are. Rows of a block
// are a multiple of what kernels take at once. (Two hosts at 1 Gbit/s, LSTM 2 x 1024, AVX2: 12.3%
// of a step exposed in front of the update, 4.9% with one product, 3.7% with blocks.)
constexpr int64_t kGradientBlock = int64_t{1} << 20;
constexpr int64_t kRowsOfBlock = 64;

}  // namespace

RecurrentLayer::RecurrentLayer(Cell cell, int64_t input_size, int64_t hidden_size,
                               int64_t projection_size, Parameters& parameters, Direction direction)
    : cell_(cell),
      facts_(FactsOf(cell)),
      input_size_(input_size),
      units_(hidden_size),
      outputs_(projection_size > 0 ? projection_size : hidden_size),
      gate_stride_(StrideWithoutConflicts(facts_.gates * hidden_size)),
      reverse_(direction == Direction::kReverse),
      parameters_(parameters) {}

RecurrentLayer::RecurrentLayer(Cell cell, int64_t input_size, int64_t hidden_size, int layer,
                               const std::string& prefix, Parameters& parameters,
                               Direction direction, bool layer_norm, int64_t projection_size)
    : RecurrentLayer(cell, input_size, hidden_size, projection_size, parameters, direction) {
  const std::string suffix = "_l" + std::to_string(layer) + (reverse_ ? "_reverse" : "");
  const Draw draw = UniformDraw(1.0 / std::sqrt(static_cast<double>(hidden_size)));
  Draw input_bias = draw;
  if (facts_.forget_gate) {
    input_bias.forget_begin = *facts_.forget_gate * units_;
    input_bias.forget_end = input_bias.forget_begin + units_;
  }
  weight_ih_ = parameters.Add(prefix + "weight_ih" + suffix, {width(), input_size}, draw);
  weight_hh_ = parameters.Add(prefix + "weight_hh" + suffix, {width(), outputs_}, draw);
  bias_ih_ = parameters.Add(prefix + "bias_ih" + suffix, {width()}, input_bias);
  bias_hh_ = parameters.Add(prefix + "bias_hh" + suffix, {width()}, draw);
  if (projection_size > 0) {
    weight_hr_ =
        parameters.Add(prefix + "weight_hr" + suffix, {projection_size, hidden_size}, draw);
  }
  if (facts_.peephole) {
    peephole_ = parameters.Add(prefix + "peephole" + suffix, {3 * hidden_size}, draw);
  }
  if (layer_norm) norm_.emplace(cell, hidden_size, gate_stride_, prefix, suffix, parameters);
  end_of_parameters_ = parameters.size();
}

RecurrentLayer RecurrentLayer::Sharing(const RecurrentLayer& other) {
  RecurrentLayer layer(other.cell_, other.input_size_, other.units_, other.outputs_,
                       other.parameters_,
                       other.reverse_ ? Direction::kReverse : Direction::kForward);
  layer.weight_ih_ = other.weight_ih_;
  layer.weight_hh_ = other.weight_hh_;
  layer.bias_ih_ = other.bias_ih_;
  layer.bias_hh_ = other.bias_hh_;
  layer.peephole_ = other.peephole_;
  layer.weight_hr_ = other.weight_hr_;
  layer.end_of_parameters_ = other.end_of_parameters_;
  if (other.norm_) layer.norm_.emplace(CellNorm::Sharing(*other.norm_));
  return layer;
}

void RecurrentLayer::Prepare(const PackedSteps& steps) {
  steps_ = steps;
  const int64_t rows = steps.rows(), items = steps.items();
  pre_.Require(rows * gate_stride_);
  h_.Require((items + rows) * outputs_);
  product_.Require(items * width());
  d_h_.Require(items * outputs_);
  if (projects()) unprojected_.Require(rows * units_);
  if (facts_.has_c) {
    c_.Require((items + rows) * units_);
    d_c_.Require(items * units_);
  }
  if (facts_.keeps_candidate) candidate_.Require(rows * units_);
  if (norm_) norm_->Prepare(rows);
  if (GathersStates()) {
    h_before_.Require(rows * outputs_);
    if (facts_.has_c) c_before_.Require(rows * units_);
  }
}

void RecurrentLayer::DropRecurrentWeights(const DropoutSite& site, double probability) {
  weight_drop_site_ = site;
  weight_drop_ = probability;
}

const float* RecurrentLayer::MakeRecurrentWeights() {
  if (weight_drop_ > 0.0) {
    DropWeights(weight_drop_site_, weight_drop_, reverse_, width(), outputs_,
                parameters_.value(weight_hh_), dropped_weights_.Require(width() * outputs_));
  }
  return recurrent_weights();
}

float* RecurrentLayer::CombinedBias() {
  float* bias = bias_.Require(width());
  const float* ih = parameters_.value(bias_ih_);
  const float* hh = parameters_.value(bias_hh_);
  const int64_t shared = facts_.shared_gates() * units_;
  for (int64_t j = 0; j < width(); ++j) bias[j] = j < shared ? ih[j] + hh[j] : ih[j];
  return bias;
}

const float* RecurrentLayer::Forward(const PackedSteps& steps, const float* x, LayerState state) {
  const VaryingRows varying(!steps.is_uniform());
  Prepare(steps);
  const Matrix a = {x, input_size_}, b = {parameters_.value(weight_ih_), input_size_, true};
  const float* bias = CombinedBias();
  if (norm_) {
    MatMul(steps.rows(), width(), input_size_, a, b, norm_->input_side(0), gate_stride_);
    norm_->Input(0, steps.rows(), bias, pre_.data());
  } else {
    MatMul(steps.rows(), width(), input_size_, a, b, pre_.data(), gate_stride_, false, bias);
  }
  ForwardSteps(state);
  return h_.data() + Behind(0) * outputs_;
}

const float* RecurrentLayer::ForwardTokens(const PackedSteps& steps, const int32_t* tokens,
                                           const TokenVectors& of, LayerState state) {
  const VaryingRows varying(!steps.is_uniform());
  Prepare(steps);
  const InputWeights weights = {width(), input_size_, parameters_.value(weight_ih_)};
  if (norm_) {
    table_.Forward(of, weights, ZeroSums());
    const float* table = table_.input_sides();
    ParallelFor(steps.rows(), [&](int64_t row) {
      std::copy_n(table + tokens[row] * width(), width(), norm_->input_side(row));
    });
    norm_->Input(0, steps.rows(), CombinedBias(), pre_.data());
    ForwardSteps(state);
  } else {
    table_.Forward(of, weights, CombinedBias());
    input_tokens_ = tokens;
    ForwardSteps(state);
    input_tokens_ = nullptr;
  }
  return h_.data() + Behind(0) * outputs_;
}

void RecurrentLayer::WeightGradient(int64_t rows, const float* d, const float* x, int64_t columns,
                                    float* gradient, int64_t offset,
                                    const GradientReady& ready) const {
  const int64_t block =
      std::max<int64_t>(kGradientBlock / columns / kRowsOfBlock, 1) * kRowsOfBlock;
  for (int64_t last = rows; last > 0;) {
    const int64_t first = last > block + block / 2 ? last - block : 0;
    MatMul(last - first, columns, steps_.rows(), {d + first, gate_stride_, true}, {x, columns},
           gradient + first * columns, columns, true);
    if (ready) ready(offset + first * columns);
    last = first;
  }
}

float* RecurrentLayer::ZeroSums() {
  float* sums = bias_.Require(width());
  std::fill_n(sums, width(), 0.0f);
  return sums;
}

const float* RecurrentLayer::InputSideSums() {
  const int64_t rows = steps_.rows(), H = units_, shared = facts_.shared_gates() * H;
  float* sums = ZeroSums();
  AddColumnSums(rows, shared, pre_.data(), gate_stride_, sums);
  if (facts_.candidate_bias_apart) AddColumnSums(rows, H, candidate_.data(), H, sums + shared);
  return sums;
}

void RecurrentLayer::BiasGradients(const float* input_side_sums) {
  const int64_t H = units_, shared = facts_.shared_gates() * H;
  float* d_bias_ih = parameters_.gradient(bias_ih_);
  float* d_bias_hh = parameters_.gradient(bias_hh_);
  for (int64_t j = 0; j < width(); ++j) d_bias_ih[j] += input_side_sums[j];
  for (int64_t j = 0; j < shared; ++j) d_bias_hh[j] += input_side_sums[j];
  if (facts_.candidate_bias_apart) {
    AddColumnSums(steps_.rows(), H, pre_.data() + shared, gate_stride_, d_bias_hh + shared);
  }
}

void RecurrentLayer::RecurrentGradients(const GradientReady& ready) {
  const int64_t rows = steps_.rows(), H = units_, P = outputs_;
  if (projects()) {
    MatMul(P, H, rows, {d_projected_.data(), P, true}, {unprojected_.data(), H},
           parameters_.gradient(weight_hr_), H, true);
  }
  if (facts_.peephole) PeepholeGradients();
  if (norm_) norm_->Gradients(rows, pre_.data(), apart());

  const int64_t offset = parameters_.list()[weight_hh_].offset;
  float* gradient = parameters_.gradient(weight_hh_);
  if (weight_drop_ > 0.0) {
    gradient = d_dropped_weights_.Require(width() * P);
    std::fill_n(gradient, width() * P, 0.0f);
  }
  const float* d_pre = norm_ ? norm_->d_hidden() : pre_.data();
  const float* h_previous = AllStatesBefore();
  const int64_t from_h = facts_.gates_from_h() * H;
  if (facts_.reset_before) {
    MatMul(H, H, rows, {d_pre + from_h, gate_stride_, true}, {candidate_.data(), H},
           gradient + from_h * H, H, true);
  }
  WeightGradient(from_h, d_pre, h_previous, P, gradient, offset,
                 weight_drop_ > 0.0 ? GradientReady() : ready);
  if (weight_drop_ == 0.0) return;
  DropWeights(weight_drop_site_, weight_drop_, reverse_, width(), P, gradient, gradient);
  float* sum = parameters_.gradient(weight_hh_);
  for (int64_t i = 0; i < width() * P; ++i) sum[i] += gradient[i];
  if (ready) ready(offset);
}

void RecurrentLayer::PeepholeGradients() {
  const int64_t H = units_;
  float* gradient = parameters_.gradient(peephole_);
#pragma omp parallel for schedule(static)
  for (int64_t first = 0; first < H; first += kPeepholeUnits) {
    const int64_t units = std::min(kPeepholeUnits, H - first);
    for (int64_t t = 0; t < steps_.time_steps(); ++t) {
      const GateStep step = StepAt(t, AllLanes(t));
      float sums[3][kPeepholeUnits] = {};  // of a time step alone, so that small ones are not lost
      for (int64_t lane = 0; lane < step.lanes; ++lane) {
        const float* d_pre = step.gates + lane * gate_stride_ + first;
        const float* before = step.c_previous + lane * H + first;
        const float* behind = step.c + lane * H + first;
        for (int64_t j = 0; j < units; ++j) {
          sums[0][j] += d_pre[j] * before[j];
          sums[1][j] += d_pre[H + j] * before[j];
          sums[2][j] += d_pre[3 * H + j] * behind[j];
        }
      }
      for (int64_t hole = 0; hole < 3; ++hole) {
        for (int64_t j = 0; j < units; ++j) gradient[hole * H + first + j] += sums[hole][j];
      }
    }
  }
}

void RecurrentLayer::InputGradients(const float* x, const GradientReady& ready) {
  const int64_t I = input_size_, H = units_, joint = joint_columns();
  float* gradient = parameters_.gradient(weight_ih_);
  if (joint < width()) {  // the input side of n has a gradient of its own
    MatMul(H, I, steps_.rows(), {candidate_.data(), H, true}, {x, I}, gradient + joint * I, I,
           true);
  }
  WeightGradient(joint, d_input_side(), x, I, gradient, begin_of_parameters(), ready);
}

void RecurrentLayer::Backward(const float* x, const float* d_output, float* d_x,
                              const LayerStateGradient& state, bool add_to_d_x,
                              const GradientReady& ready) {
  const VaryingRows varying(!steps_.is_uniform());
  BackwardSteps(d_output, state);
  const int64_t rows = steps_.rows(), I = input_size_, joint = joint_columns();
  BiasGradients(InputSideSums());
  if (norm_) norm_->InputBackward(0, rows, pre_.data(), apart());
  RecurrentGradients(ready);
  InputGradients(x, ready);
  if (!d_x) return;
  const float* weights = parameters_.value(weight_ih_);
  MatMul(rows, I, joint, {d_input_side(), gate_stride_}, {weights, I}, d_x, I, add_to_d_x);
  if (joint < width()) {
    MatMul(rows, I, units_, {candidate_.data(), units_}, {weights + joint * I, I}, d_x, I, true);
  }
}

void RecurrentLayer::BackwardTokens(const int32_t* tokens, const TokenVectors& of,
                                    const float* d_output, const LayerStateGradient& state,
                                    const GradientReady& ready) {
  const VaryingRows varying(!steps_.is_uniform());
  BackwardSteps(d_output, state);
  if (norm_) {
    BiasGradients(InputSideSums());
    norm_->InputBackward(0, steps_.rows(), pre_.data(), apart());
  }
  float* sums = ZeroSums();
  table_.Gather(steps_.rows(), tokens, of.vocabulary_size, width(),
                {d_input_side(), gate_stride_, joint_columns(), candidate_.data()}, sums);
  if (!norm_) BiasGradients(sums);
  RecurrentGradients(ready);
  table_.Backward(of, {width(), input_size_, parameters_.value(weight_ih_)},
                  parameters_.gradient(weight_ih_));
}

}  // namespace lockstep::worker
