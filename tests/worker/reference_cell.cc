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

void LstmUnits(const Array& input_side, const Array& hidden_side, double* h, double* c) {
  const auto H = static_cast<int64_t>(input_side.size() / 4);
  for (int64_t j = 0; j < H; ++j) {
    const auto x = [&](int64_t gate) {
      return input_side[gate * H + j] + hidden_side[gate * H + j];
    };
    c[j] = Sigmoid(x(1)) * c[j] + Sigmoid(x(0)) * std::tanh(x(2));
    h[j] = Sigmoid(x(3)) * std::tanh(c[j]);
  }
}

// weight_hn [H, H] and bias_hn [H] are the hidden side of n.
void GruUnits(bool reset_before, const double* weight_hn, const double* bias_hn,
              const Array& input_side, const Array& hidden_side, double* h) {
  const auto H = static_cast<int64_t>(input_side.size() / 3);
  Array r(H), z(H), reset(H), next(H);
  for (int64_t j = 0; j < H; ++j) {
    r[j] = Sigmoid(input_side[j] + hidden_side[j]);
    z[j] = Sigmoid(input_side[H + j] + hidden_side[H + j]);
    reset[j] = r[j] * h[j];
  }
  for (int64_t j = 0; j < H; ++j) {
    const double hidden = reset_before ? Dot(H, weight_hn + j * H, reset.data()) + bias_hn[j]
                                       : r[j] * hidden_side[2 * H + j];
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
  Array input_side = Weights(values, "bias_ih", layer);
  const Array& bias_hh = Weights(values, "bias_hh", layer);
  Array hidden_side = bias_hh;
  const auto rows = static_cast<int64_t>(bias_hh.size()), size = static_cast<int64_t>(x.size());
  const int64_t H = static_cast<int64_t>(weight_hh.size()) / rows;
  for (int64_t row = 0; row < rows; ++row) {
    input_side[row] += Dot(size, weight_ih.data() + row * size, x.data());
    hidden_side[row] += Dot(H, weight_hh.data() + row * H, h);
  }
  switch (cell) {
    case Cell::kRnnTanh:
      for (int64_t j = 0; j < H; ++j) h[j] = std::tanh(input_side[j] + hidden_side[j]);
      break;
    case Cell::kRnnRelu:
      for (int64_t j = 0; j < H; ++j) h[j] = std::max(0.0, input_side[j] + hidden_side[j]);
      break;
    case Cell::kLstm:
      LstmUnits(input_side, hidden_side, h, c);
      break;
    case Cell::kGru:
    case Cell::kGruResetBefore:
      GruUnits(cell == Cell::kGruResetBefore, weight_hh.data() + 2 * H * H, bias_hh.data() + 2 * H,
               input_side, hidden_side, h);
      break;
  }
}

}  // namespace lockstep::worker
