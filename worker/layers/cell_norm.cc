#include "worker/layers/cell_norm.h"

#include <algorithm>

#include "worker/products/column_sum.h"

namespace lockstep::worker {

CellNorm::CellNorm(Cell cell, int64_t hidden_size, int64_t gate_stride, Parameters& parameters)
    : facts_(FactsOf(cell)), units_(hidden_size), stride_(gate_stride), parameters_(parameters) {
  const int64_t H = hidden_size;
  // The cells with a last gate that stands apart, in either way, are the GRUs.
  if (facts_.candidate_bias_apart || facts_.reset_before) {
    groups_ = {{0, (facts_.gates - 1) * H}, {(facts_.gates - 1) * H, facts_.gates * H}};
  } else {
    groups_ = {{0, facts_.gates * H}};
  }
}

CellNorm::CellNorm(Cell cell, int64_t hidden_size, int64_t gate_stride, const std::string& prefix,
                   const std::string& suffix, Parameters& parameters)
    : CellNorm(cell, hidden_size, gate_stride, parameters) {
  const auto add = [&](const char* name, int64_t size, Draw draw) {
    return parameters.Add(prefix + "layer_norm_" + name + suffix, {size}, draw);
  };
  gain_ih_ = add("ih", facts_.gates * units_, OneDraw());
  gain_hh_ = add("hh", facts_.gates * units_, OneDraw());
  if (!facts_.has_c) return;
  gain_c_ = add("c", units_, OneDraw());
  bias_c_ = add("c_bias", units_, {});
}

CellNorm CellNorm::Sharing(const CellNorm& other) {
  CellNorm norm(other.facts_.cell, other.units_, other.stride_, other.parameters_);
  norm.gain_ih_ = other.gain_ih_;
  norm.gain_hh_ = other.gain_hh_;
  norm.gain_c_ = other.gain_c_;
  norm.bias_c_ = other.bias_c_;
  return norm;
}

void CellNorm::Prepare(int64_t rows) {
  const int64_t groups = std::ssize(groups_);
  for (Buffer* buffer : {&input_, &hidden_, &d_input_, &d_hidden_}) buffer->Require(rows * stride_);
  inverse_input_.Require(rows * groups);
  inverse_hidden_.Require(rows * groups);
  if (!facts_.has_c) return;
  cell_.Require(rows * units_);
  d_cell_.Require(rows * units_);
  inverse_cell_.Require(rows);
}

LayerNormRows CellNorm::InputRows(size_t group, int64_t row, int64_t rows) {
  const int64_t groups = std::ssize(groups_), begin = groups_[group].begin;
  return {rows,
          groups_[group].end - begin,
          parameters_.value(gain_ih_) + begin,
          input_.data() + row * stride_ + begin,
          stride_,
          inverse_input_.data() + row * groups + group,
          groups};
}

LayerNormRows CellNorm::HiddenRows(size_t group, int64_t row, int64_t rows) {
  LayerNormRows of = InputRows(group, row, rows);
  const int64_t groups = std::ssize(groups_), begin = groups_[group].begin;
  of.gain = parameters_.value(gain_hh_) + begin;
  of.normalized = hidden_.data() + row * stride_ + begin;
  of.inverse_deviation = inverse_hidden_.data() + row * groups + group;
  return of;
}

LayerNormRows CellNorm::CellRows(int64_t row, int64_t rows) {
  return {rows,
          units_,
          parameters_.value(gain_c_),
          cell_.data() + row * units_,
          units_,
          inverse_cell_.data() + row};
}

void CellNorm::Input(int64_t row, int64_t rows, const float* bias, float* gates) {
  for (size_t group = 0; group < groups_.size(); ++group) {
    const LayerNormRows of = InputRows(group, row, rows);
    const int64_t begin = groups_[group].begin;
    LayerNormForward(of, of.normalized, stride_, bias + begin, gates + begin, stride_);
  }
}

void CellNorm::Hidden(int64_t row, int64_t rows, int64_t first, int64_t columns, float* product) {
  for (size_t group = 0; group < groups_.size(); ++group) {
    const auto [begin, end] = groups_[group];
    if (begin < first || end > first + columns) continue;
    float* values = product + begin - first;
    LayerNormForward(HiddenRows(group, row, rows), values, columns, nullptr, values, columns);
  }
}

void CellNorm::Output(int64_t row, GateStep step) {
  const LayerNormRows of = CellRows(row, step.lanes);
  LayerNormForward(of, step.c, units_, nullptr, nullptr, 0);
  step.normalized_c = of.normalized;
  step.c_gain = of.gain;
  step.c_bias = parameters_.value(bias_c_);
  LstmOutputForward(step);
}

void CellNorm::OutputBackward(int64_t row, GateStep step, float* zeros) {
  const int64_t H = units_, size = step.lanes * H;
  const LayerNormRows of = CellRows(row, step.lanes);
  step.normalized_c = of.normalized;
  step.c_gain = of.gain;
  step.c_bias = parameters_.value(bias_c_);
  step.d_normalized_c = d_cell_.data() + row * H;
  step.d_output_gate = d_output_gate_.Require(size);
  LstmOutputBackward(step);
  float* d_c = d_c_.Require(size);
  LayerNormBackward(of, step.d_normalized_c, H, d_c, H);
#pragma omp parallel for simd schedule(static)
  for (int64_t i = 0; i < size; ++i) step.d_c[i] += d_c[i];
  if (step.peephole) {
    const float* from_o = step.peephole + 2 * H;
#pragma omp parallel for simd schedule(static)
    for (int64_t i = 0; i < size; ++i) step.d_c[i] += step.d_output_gate[i] * from_o[i % H];
  }
  // Nothing comes through h any more; the gradient of o, which did, is there already.
  step.d_output = zeros;
  step.d_h = zeros;
  LstmBackward(step);
#pragma omp parallel for schedule(static)
  for (int64_t lane = 0; lane < step.lanes; ++lane) {
    std::copy_n(step.d_output_gate + lane * H, H, step.gates + lane * step.gate_stride + 3 * H);
  }
}

const float* CellNorm::HiddenBackward(int64_t row, int64_t rows, int64_t first, int64_t columns,
                                      const float* gates) {
  float* d_hidden = d_hidden_.data() + row * stride_;
  for (size_t group = 0; group < groups_.size(); ++group) {
    const auto [begin, end] = groups_[group];
    if (begin < first || end > first + columns) continue;
    LayerNormBackward(HiddenRows(group, row, rows), gates + begin, stride_, d_hidden + begin,
                      stride_);
  }
  return d_hidden + first;
}

const float* CellNorm::InputBackward(int64_t row, int64_t rows, const float* gates,
                                     const float* apart) {
  float* d_input = d_input_.data() + row * stride_;
  for (size_t group = 0; group < groups_.size(); ++group) {
    const int64_t begin = groups_[group].begin;
    const bool is_apart = apart && group + 1 == groups_.size();
    LayerNormBackward(InputRows(group, row, rows), is_apart ? apart : gates + begin,
                      is_apart ? units_ : stride_, d_input + begin, stride_);
  }
  return d_input;
}

void CellNorm::Gradients(int64_t rows, const float* gates, const float* apart) {
  for (size_t group = 0; group < groups_.size(); ++group) {
    const int64_t begin = groups_[group].begin;
    const bool is_apart = apart && group + 1 == groups_.size();
    AddGainGradient(InputRows(group, 0, rows), is_apart ? apart : gates + begin,
                    is_apart ? units_ : stride_, parameters_.gradient(gain_ih_) + begin);
    AddGainGradient(HiddenRows(group, 0, rows), gates + begin, stride_,
                    parameters_.gradient(gain_hh_) + begin);
  }
  if (!facts_.has_c) return;
  AddGainGradient(CellRows(0, rows), d_cell_.data(), units_, parameters_.gradient(gain_c_));
  AddColumnSums(rows, units_, d_cell_.data(), units_, parameters_.gradient(bias_c_));
}

}  // namespace lockstep::worker
