#include "tests/worker/reference_cell.h"

#include <algorithm>
#include <cmath>

namespace lockstep::worker {
namespace {

using Array = std::vector<double>;

double Sigmoid(double x) { return 1.0 / (1.0 + std::exp(-x)); }

double Dot(int64_t size, const double* a, const double* b) {
  double sum = 0.0;
  for (int64_t i = 0; i < size; ++i) sum += a[i] * b[i];
  return sum;
}

const Array& Weights(const ReferenceValues& values, const char* kind, int layer) {
  return values.at(std::string("rnn.") + kind + "_l" + std::to_string(layer));
}

// gain (x - mean) / deviation of the elements [begin, end).
void Normalize(const Array& gain, int64_t begin, int64_t end, double* x) {
  double mean = 0.0, variance = 0.0;
  for (int64_t i = begin; i < end; ++i) mean += x[i] / static_cast<double>(end - begin);
  for (int64_t i = begin; i < end; ++i) {
    variance += (x[i] - mean) * (x[i] - mean) / static_cast<double>(end - begin);
  }
  for (int64_t i = begin; i < end; ++i) {
    x[i] = gain[i] * (x[i] - mean) / std::sqrt(variance + 1e-5);
  }
}

// The gates that are normalised together: all, or r and z, then n.
void NormalizeGates(Cell cell, const Array& gain, Array& side) {
  const auto size = static_cast<int64_t>(side.size());
  const bool gru = cell == Cell::kGru || cell == Cell::kGruResetBefore;
  const int64_t joint = gru ? size / 3 * 2 : size;
  Normalize(gain, 0, joint, side.data());
  if (gru) Normalize(gain, joint, size, side.data());
}

// `peephole` [3H], of i, f and o, or empty.
void LstmUnits(const Array& input_side, const Array& hidden_side, const Array& peephole,
               const Array& c_gain, const Array& c_bias, double* h, double* c) {
  const auto H = static_cast<int64_t>(input_side.size() / 4);
  for (int64_t j = 0; j < H; ++j) {
    const auto x = [&](int64_t gate) {
      return input_side[gate * H + j] + hidden_side[gate * H + j];
    };
    const auto seen = [&](int64_t hole) {
      return peephole.empty() ? 0.0 : peephole[hole * H + j] * c[j];
    };
    c[j] = Sigmoid(x(1) + seen(1)) * c[j] + Sigmoid(x(0) + seen(0)) * std::tanh(x(2));
    h[j] = Sigmoid(x(3) + seen(2));
  }
  Array y(c, c + H);
  if (!c_gain.empty()) Normalize(c_gain, 0, H, y.data());
  for (int64_t j = 0; j < H; ++j) h[j] *= std::tanh(y[j] + (c_bias.empty() ? 0.0 : c_bias[j]));
}

// weight_hn [H, H] and bias_hn [H] are the hidden side of n.
void GruUnits(bool reset_before, const double* weight_hn, const double* bias_hn, const Array& gain,
              const Array& input_side, const Array& hidden_side, double* h) {
  const auto H = static_cast<int64_t>(input_side.size() / 3);
  Array r(H), z(H), reset(H), next(H);
  for (int64_t j = 0; j < H; ++j) {
    r[j] = Sigmoid(input_side[j] + hidden_side[j]);
    z[j] = Sigmoid(input_side[H + j] + hidden_side[H + j]);
    reset[j] = r[j] * h[j];
  }
  Array product(3 * H);
  for (int64_t j = 0; j < H; ++j) product[2 * H + j] = Dot(H, weight_hn + j * H, reset.data());
  if (!gain.empty()) Normalize(gain, 2 * H, 3 * H, product.data());
  for (int64_t j = 0; j < H; ++j) {
    const double hidden =
        reset_before ? product[2 * H + j] + bias_hn[j] : r[j] * hidden_side[2 * H + j];
    const double n = std::tanh(input_side[2 * H + j] + hidden);
    next[j] = (1.0 - z[j]) * n + z[j] * h[j];
  }
  std::copy(next.begin(), next.end(), h);
}

}  // namespace

void ReferenceCellStep(Cell cell, const ReferenceValues& values, int layer, const Array& x,
                       double* h, double* c) {
  const Array& weight_hh = Weights(values, "weight_hh", layer);
  const Array& weight_ih = Weights(values, "weight_ih", layer);
  const Array& bias_ih = Weights(values, "bias_ih", layer);
  const Array& bias_hh = Weights(values, "bias_hh", layer);
  const auto rows = static_cast<int64_t>(bias_hh.size()), size = static_cast<int64_t>(x.size());
  const int64_t P = static_cast<int64_t>(weight_hh.size()) / rows;
  const int64_t H = rows / FactsOf(cell).gates;
  Array input_side(rows), hidden_side(rows);
  for (int64_t row = 0; row < rows; ++row) {
    input_side[row] = Dot(size, weight_ih.data() + row * size, x.data());
    hidden_side[row] = Dot(P, weight_hh.data() + row * P, h);
  }
  Array gain_hh, c_gain, c_bias;
  if (values.contains("rnn.layer_norm_ih_l" + std::to_string(layer))) {
    NormalizeGates(cell, Weights(values, "layer_norm_ih", layer), input_side);
    gain_hh = Weights(values, "layer_norm_hh", layer);
    NormalizeGates(cell, gain_hh, hidden_side);
    if (FactsOf(cell).has_c) {
      c_gain = Weights(values, "layer_norm_c", layer);
      c_bias = Weights(values, "layer_norm_c_bias", layer);
    }
  }
  for (int64_t row = 0; row < rows; ++row) {
    input_side[row] += bias_ih[row];
    hidden_side[row] += bias_hh[row];
  }
  switch (cell) {
    case Cell::kRnnTanh:
      for (int64_t j = 0; j < H; ++j) h[j] = std::tanh(input_side[j] + hidden_side[j]);
      break;
    case Cell::kRnnRelu:
      for (int64_t j = 0; j < H; ++j) h[j] = std::max(0.0, input_side[j] + hidden_side[j]);
      break;
    case Cell::kLstm:
    case Cell::kLstmPeephole: {
      Array unprojected(H);
      LstmUnits(input_side, hidden_side,
                cell == Cell::kLstm ? Array() : Weights(values, "peephole", layer), c_gain, c_bias,
                unprojected.data(), c);
      if (P == H) {
        std::copy(unprojected.begin(), unprojected.end(), h);
      } else {
        const double* weight_hr = Weights(values, "weight_hr", layer).data();
        for (int64_t p = 0; p < P; ++p) h[p] = Dot(H, weight_hr + p * H, unprojected.data());
      }
      break;
    }
    case Cell::kGru:
    case Cell::kGruResetBefore:
      GruUnits(cell == Cell::kGruResetBefore, weight_hh.data() + 2 * H * H, bias_hh.data() + 2 * H,
               gain_hh, input_side, hidden_side, h);
      break;
  }
}

}  // namespace lockstep::worker
