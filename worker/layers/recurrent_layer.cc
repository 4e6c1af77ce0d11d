#include "worker/layers/recurrent_layer.h"

#include <algorithm>
#include <cstring>

#include "worker/products/column_sum.h"

namespace lockstep::worker {

int GateCount(Cell cell) {
  switch (cell) {
    case Cell::kRnnTanh:
    case Cell::kRnnRelu:
      return 1;
    case Cell::kLstm:
      return 4;
    case Cell::kGru:
    case Cell::kGruResetBefore:
      return 3;
  }
  return 0;
}

namespace {

// Rows that lie a multiple of 1 kB apart fall into few sets of the first cache level, and products
// that read such columns run at half their rate (weight gradient of 1024 x 256 over 2048 rows,
// AVX2, 1 thread: 30 against 58 GFLOP/s).
int64_t StrideWithoutConflicts(int64_t width) { return width % 256 == 0 ? width + 16 : width; }

constexpr int64_t kRowsOfATable = 8192;

}  // namespace

RecurrentLayer::RecurrentLayer(Cell cell, int64_t input_size, int64_t hidden_size, int layer,
                               const std::string& prefix, Parameters& parameters)
    : cell_(cell),
      input_size_(input_size),
      units_(hidden_size),
      gates_(GateCount(cell)),
      gate_stride_(StrideWithoutConflicts(gates_ * hidden_size)),
      parameters_(parameters) {
  const int64_t rows = gates_ * units_;
  const std::string suffix = "_l" + std::to_string(layer);
  weight_ih_ = parameters.Add(prefix + "weight_ih" + suffix, {rows, input_size});
  weight_hh_ = parameters.Add(prefix + "weight_hh" + suffix, {rows, hidden_size});
  bias_ih_ = parameters.Add(prefix + "bias_ih" + suffix, {rows});
  bias_hh_ = parameters.Add(prefix + "bias_hh" + suffix, {rows});
}

void RecurrentLayer::Prepare(int64_t time_steps, int64_t lanes) {
  time_steps_ = time_steps;
  lanes_ = lanes;
  const int64_t state = lanes * units_;
  pre_.Require(time_steps * lanes * gate_stride_);
  h_.Require((time_steps + 1) * state);
  product_.Require(state * gates_);
  d_h_.Require(state);
  if (cell_ == Cell::kLstm) {
    c_.Require((time_steps + 1) * state);
    d_c_.Require(state);
  }
  if (gates_ == 3) candidate_.Require(time_steps * state);
}

// b_ih + b_hh; the GRU keeps b_hn apart, because its reset gate acts on it.
float* RecurrentLayer::CombinedBias() {
  float* bias = bias_.Require(gates_ * units_);
  const float* ih = parameters_.value(bias_ih_);
  const float* hh = parameters_.value(bias_hh_);
  const int64_t shared = cell_ == Cell::kGru ? 2 * units_ : gates_ * units_;
  for (int64_t j = 0; j < gates_ * units_; ++j) bias[j] = j < shared ? ih[j] + hh[j] : ih[j];
  return bias;
}

const float* RecurrentLayer::Forward(int64_t time_steps, int64_t lanes, const float* x, float* h,
                                     float* c) {
  Prepare(time_steps, lanes);
  const int64_t width = gates_ * units_;
  MatMul(time_steps * lanes, width, input_size_, {x, input_size_},
         {parameters_.value(weight_ih_), input_size_, true}, pre_.data(), gate_stride_, false,
         CombinedBias());
  ForwardSteps(h, c);
  return h_.data() + lanes * units_;
}

const float* RecurrentLayer::ForwardTokens(int64_t time_steps, int64_t lanes, const int32_t* tokens,
                                           int64_t vocabulary_size, const float* embedding,
                                           float* h, float* c) {
  Prepare(time_steps, lanes);
  const int64_t width = gates_ * units_, I = input_size_;
  const float* weights = parameters_.value(weight_ih_);
  const float* bias = CombinedBias();
  float* table = table_.Require(vocabulary_size * width);
  if (embedding) {
    MatMul(vocabulary_size, width, I, {embedding, I}, {weights, I, true}, table, width, false,
           bias);
  } else {
#pragma omp parallel for schedule(static)
    for (int64_t token = 0; token < I; ++token) {
      for (int64_t j = 0; j < width; ++j)
        table[token * width + j] = weights[j * I + token] + bias[j];
    }
  }
#pragma omp parallel for schedule(static)
  for (int64_t row = 0; row < time_steps * lanes; ++row) {
    std::memcpy(pre_.data() + row * gate_stride_, table + tokens[row] * width,
                width * sizeof(float));
  }
  ForwardSteps(h, c);
  return h_.data() + lanes * units_;
}

GateStep RecurrentLayer::StepAt(int64_t t) {
  const int64_t state = lanes_ * units_;
  GateStep step;
  step.lanes = lanes_;
  step.units = units_;
  step.gate_stride = gate_stride_;
  step.product = product_.data();
  step.gates = pre_.data() + t * lanes_ * gate_stride_;
  step.h_previous = h_.data() + t * state;
  step.h = h_.data() + (t + 1) * state;
  if (cell_ == Cell::kLstm) {
    step.c_previous = c_.data() + t * state;
    step.c = c_.data() + (t + 1) * state;
  }
  if (gates_ == 3) {
    step.candidate = candidate_.data() + t * state;
    step.candidate_bias = parameters_.value(bias_hh_) + 2 * units_;
  }
  step.d_h = d_h_.data();
  step.d_c = d_c_.data();
  return step;
}

void RecurrentLayer::ForwardSteps(float* h, float* c) {
  const int64_t state = lanes_ * units_, H = units_;
  const float* weights = parameters_.value(weight_hh_);
  const int64_t packed_width = reset_before() ? 2 * H : gates_ * H;
  forward_weights_.Pack(lanes_, packed_width, H, H, {weights, H, true});
  if (reset_before()) forward_candidate_.Pack(lanes_, H, H, H, {weights + 2 * H * H, H, true});
  std::copy_n(h, state, h_.data());
  if (c) std::copy_n(c, state, c_.data());
  for (int64_t t = 0; t < time_steps_; ++t) {
    const GateStep step = StepAt(t);
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
  std::copy_n(h_.data() + time_steps_ * state, state, h);
  if (c) std::copy_n(c_.data() + time_steps_ * state, state, c);
}

void RecurrentLayer::BackwardSteps(const float* d_output) {
  const int64_t state = lanes_ * units_, H = units_;
  const float* weights = parameters_.value(weight_hh_);
  const int64_t packed_width = reset_before() ? 2 * H : gates_ * H;
  backward_weights_.Pack(lanes_, H, packed_width, gate_stride_, {weights, H});
  if (reset_before()) {
    backward_candidate_.Pack(lanes_, H, H, gate_stride_, {weights + 2 * H * H, H});
  }
  std::fill_n(d_h_.data(), state, 0.0f);
  if (cell_ == Cell::kLstm) std::fill_n(d_c_.data(), state, 0.0f);
  for (int64_t t = time_steps_ - 1; t >= 0; --t) {
    GateStep step = StepAt(t);
    step.d_output = d_output + t * state;
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
        backward_candidate_.Multiply(step.gates + 2 * H, product_.data());
        GruResetBackward(step);
        break;
    }
    // The GRU kernels left their direct part of dL/dH[t-1] in d_h; the others have none.
    if (t > 0) backward_weights_.Multiply(step.gates, d_h_.data(), gates_ == 3);
  }
}

// Gradients of Wh and of the biases. Sums over time steps and lanes are here and in the products of
// dWx, nowhere else.
void RecurrentLayer::RecurrentGradients() {
  const int64_t rows = time_steps_ * lanes_, H = units_, width = gates_ * H;
  float* gradient = parameters_.gradient(weight_hh_);
  const float* d_pre = pre_.data();
  const int64_t from_h = reset_before() ? 2 * H : width;
  MatMul(from_h, H, rows, {d_pre, gate_stride_, true}, {h_.data(), H}, gradient, H, true);
  if (reset_before()) {
    MatMul(H, H, rows, {d_pre + 2 * H, gate_stride_, true}, {candidate_.data(), H},
           gradient + 2 * H * H, H, true);
  }
  float* d_bias_ih = parameters_.gradient(bias_ih_);
  float* d_bias_hh = parameters_.gradient(bias_hh_);
  const int64_t shared = cell_ == Cell::kGru ? 2 * H : width;
  float* sums = bias_.Require(width);
  std::fill_n(sums, width, 0.0f);
  AddColumnSums(rows, width, d_pre, gate_stride_, sums);
  for (int64_t j = 0; j < width; ++j) d_bias_hh[j] += sums[j];
  for (int64_t j = 0; j < shared; ++j) d_bias_ih[j] += sums[j];
  if (cell_ == Cell::kGru) AddColumnSums(rows, H, candidate_.data(), H, d_bias_ih + 2 * H);
}

void RecurrentLayer::Backward(const float* x, const float* d_output, float* d_x) {
  BackwardSteps(d_output);
  RecurrentGradients();
  const int64_t rows = time_steps_ * lanes_, I = input_size_, H = units_, width = gates_ * H;
  const float* weights = parameters_.value(weight_ih_);
  float* gradient = parameters_.gradient(weight_ih_);
  const int64_t shared = cell_ == Cell::kGru ? 2 * H : width;
  MatMul(shared, I, rows, {pre_.data(), gate_stride_, true}, {x, I}, gradient, I, true);
  if (d_x) MatMul(rows, I, shared, {pre_.data(), gate_stride_}, {weights, I}, d_x, I);
  if (cell_ == Cell::kGru) {  // the input side of n has a gradient of its own
    MatMul(H, I, rows, {candidate_.data(), H, true}, {x, I}, gradient + shared * I, I, true);
    if (d_x) MatMul(rows, I, H, {candidate_.data(), H}, {weights + shared * I, I}, d_x, I, true);
  }
}

// table[token] += the gradient of the input side, over rows [begin, end).
void RecurrentLayer::AddToTable(int64_t begin, int64_t end, const int32_t* tokens, float* table) {
  const int64_t H = units_, width = gates_ * H;
  const int64_t shared = cell_ == Cell::kGru ? 2 * H : width;
  constexpr int64_t kBlock = 64;  // columns of a thread: rows are added in their order
#pragma omp parallel for schedule(static)
  for (int64_t first = 0; first < width; first += kBlock) {
    const int64_t last = std::min(first + kBlock, width);
    const int64_t split = std::clamp(shared, first, last);
    for (int64_t row = begin; row < end; ++row) {
      float* sums = table + tokens[row] * width;
      const float* d_pre = pre_.data() + row * gate_stride_;
      for (int64_t j = first; j < split; ++j) sums[j] += d_pre[j];
      for (int64_t j = split; j < last; ++j) sums[j] += candidate_.data()[row * H + j - shared];
    }
  }
}

void RecurrentLayer::BackwardTokens(const int32_t* tokens, int64_t vocabulary_size,
                                    const float* embedding, const float* d_output,
                                    float* d_embedding) {
  BackwardSteps(d_output);
  RecurrentGradients();
  const int64_t rows = time_steps_ * lanes_, I = input_size_, H = units_, width = gates_ * H;
  float* table = table_.Require(vocabulary_size * width);
  std::fill_n(table, vocabulary_size * width, 0.0f);
  AddToTable(0, std::min(rows, kRowsOfATable), tokens, table);
  // The error of a float32 sum grows with its terms, so many rows make several tables first.
  for (int64_t begin = kRowsOfATable; begin < rows; begin += kRowsOfATable) {
    const int64_t size = vocabulary_size * width;
    float* part = part_.Require(size);
    std::fill_n(part, size, 0.0f);
    AddToTable(begin, std::min(rows, begin + kRowsOfATable), tokens, part);
#pragma omp parallel for simd schedule(static)
    for (int64_t i = 0; i < size; ++i) table[i] += part[i];
  }
  const float* weights = parameters_.value(weight_ih_);
  float* gradient = parameters_.gradient(weight_ih_);
  if (embedding) {
    MatMul(width, I, vocabulary_size, {table, width, true}, {embedding, I}, gradient, I, true);
    MatMul(vocabulary_size, I, width, {table, width}, {weights, I}, d_embedding, I, true);
    return;
  }
#pragma omp parallel for schedule(static)
  for (int64_t j = 0; j < width; ++j) {
    for (int64_t token = 0; token < I; ++token) gradient[j * I + token] += table[token * width + j];
  }
}

}  // namespace lockstep::worker
